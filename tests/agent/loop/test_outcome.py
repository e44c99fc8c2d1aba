"""What ``agent run --once`` ends with: which Applications are not what Git says, and why."""

from __future__ import annotations

from typing import Any

import pytest

from gitops_bot.agent.application.applications import Applications
from gitops_bot.agent.loop.outcome import unsynced
from gitops_bot.doors.cluster.kinds import Kinds
from gitops_bot.doors.cluster.objects import Objects

SOURCE = {"repoURL": "https://git.example.org/acme/shop", "path": "k8s"}
OLDER, NEWER = "1" * 40, "2" * 40


def operation(phase: str) -> dict[str, Any]:
    return {
        "operation": {"sync": {}}, "phase": phase, "message": "web: field is immutable",
        "startedAt": "2026-01-01T00:00:00Z", "syncResult": {"revision": OLDER, "source": SOURCE},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("phase", "code", "revision", "reason"),
    [
        ("Succeeded", "Synced", OLDER, ""),
        ("Succeeded", "OutOfSync", NEWER, "it is OutOfSync"),
        ("Running", "Synced", NEWER, "its sync is Running: web: field is immutable"),
        ("Failed", "OutOfSync", OLDER, "its sync is Failed: web: field is immutable"),
        ("Failed", "Synced", OLDER, "its sync is Failed: web: field is immutable"),
        ("Failed", "Synced", NEWER, ""),
    ],
)
def test_a_failed_sync_counts_until_git_and_the_cluster_agree_on_something_else(
    phase: str, code: str, revision: str, reason: str
) -> None:
    applications = Applications(Objects(None, Kinds(())), "gitops-bot")
    applications.put({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": "shop", "namespace": "gitops-bot", "uid": "1", "resourceVersion": "5"},
        "spec": {"destination": {}, "project": "default", "source": SOURCE},
        "status": {
            "sync": {"status": code, "revision": revision, "comparedTo": {"destination": {}, "source": SOURCE}},
            "operationState": operation(phase),
        },
    })  # fmt: skip
    assert unsynced(applications) == ((("shop", reason),) if reason else ())
