"""Events as GitHub documents their payloads, cut down to a few more fields than are read."""

from __future__ import annotations

import copy
from typing import Any

BASE, HEAD, MERGE, NOTHING = "b" * 40, "a" * 40, "c" * 40, "0" * 40
HERE = "octo/shop"
REPOSITORY = {"id": 1, "full_name": HERE, "fork": False, "default_branch": "main"}
FORK = {"id": 2, "full_name": "stranger/shop", "fork": True, "default_branch": "main"}
PERSON = {"login": "ada", "type": "User"}
BOT = {"login": "gitops-bot[bot]", "type": "Bot"}


def pull_request(
    action: str = "opened", *, head_repository: Any = REPOSITORY, sender: Any = PERSON, **more: Any
) -> dict[str, Any]:
    """A pull request's event; ``more`` goes into the event itself."""
    pull = {
        "number": 7,
        "state": "closed" if action == "closed" else "open",
        "draft": False,
        "title": "`::error::x`",
        "merge_commit_sha": None if action == "opened" else MERGE,
        "base": {"ref": "main", "sha": BASE, "repo": REPOSITORY},
        "head": {"ref": "feature/blue", "sha": HEAD, "repo": head_repository},
        "user": PERSON,
    }
    return copy.deepcopy(
        {"action": action, "number": 7, "pull_request": pull, "repository": REPOSITORY, "sender": sender, **more}
    )


def push(
    ref: str, before: str = BASE, after: str = HEAD, *, sender: Any = PERSON, forced: bool = False
) -> dict[str, Any]:
    return {
        "ref": ref,
        "before": before,
        "after": after,
        "created": before == NOTHING,
        "deleted": after == NOTHING,
        "forced": forced,
        "repository": REPOSITORY,
        "pusher": {"name": sender["login"] if sender else "x"},
        "sender": sender,
    }


def comment(action: str = "created", *, pull: bool = True, user: Any = PERSON) -> dict[str, Any]:
    issue: dict[str, Any] = {"number": 7, "state": "open"}
    if pull:
        issue["pull_request"] = {"url": "https://api.github.com/repos/octo/shop/pulls/7"}
    said = {
        "id": 99,
        "user": user,
        "author_association": "MEMBER",
        "body": "/gitops-bot again",
        "created_at": "2024-05-01T12:00:00Z",
    }
    return {"action": action, "issue": issue, "comment": said, "repository": REPOSITORY, "sender": PERSON}


def workflow_run(
    action: str = "completed", *, head_repository: Any = REPOSITORY, pulls: Any = (), conclusion: Any = "success"
) -> dict[str, Any]:
    run = {
        "id": 30433642,
        "event": "pull_request",
        "status": "completed",
        "conclusion": conclusion,
        "head_sha": HEAD,
        "head_branch": "feature/blue",
        "head_repository": head_repository,
        "pull_requests": list(pulls),
    }
    return {"action": action, "workflow_run": run, "repository": REPOSITORY, "sender": PERSON}


def pull_of_run(number: int, repository: int = 1) -> dict[str, Any]:
    side = {"ref": "main", "sha": BASE, "repo": {"id": repository, "name": "shop"}}
    return {"id": 1000 + number, "number": number, "base": side, "head": side}


def merge_group(action: str = "checks_requested") -> dict[str, Any]:
    group = {
        "base_sha": BASE,
        "head_sha": HEAD,
        "base_ref": "refs/heads/main",
        "head_ref": f"refs/heads/gh-readonly-queue/main/pr-104-{BASE}",
    }
    return {"action": action, "merge_group": group, "repository": REPOSITORY, "sender": PERSON}


MODEL_ADDED = {
    "event_type": "ADD_ARTIFACT_ALIAS",
    "event_author": "ada",
    "alias": "production",
    "artifact_version": "wandb-artifact://_id/QXJ0aWZhY3Q6NTE3ODg5ODg3",
    "artifact_version_string": "acme/model-registry/churn-model:v12",
    "artifact_collection_name": "churn-model",
    "project_name": "model-registry",
    "entity_name": "acme",
}
"""What Weights & Biases sends when a model gets an alias: all of it stands in ``client_payload``."""


def repository_dispatch(payload: Any = MODEL_ADDED, kind: Any = "model-registered") -> dict[str, Any]:
    return {"action": kind, "branch": "main", "client_payload": payload, "repository": REPOSITORY, "sender": BOT}
