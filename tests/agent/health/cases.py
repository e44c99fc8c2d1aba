"""Objects as the API server writes them, each healthy; a case is what differs from that, and what is said of it."""

from __future__ import annotations

import functools
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import kubernetes_validate
import pytest
import yaml

from gitops_bot.agent.health.assess import assess
from gitops_bot.agent.health.verdict import Health
from gitops_bot.manifests.normalise import is_built_in

NOW = datetime(2026, 8, 14, 12, 0, tzinfo=UTC)
"""Hours after the objects were created."""
OBJECTS = Path(__file__).parent / "objects"
KINDS = sorted(path.stem for path in OBJECTS.glob("*.yaml"))


class Case(NamedTuple):
    """What differs from the healthy object, and what is said then: a status, and a part of the message."""

    name: str
    changes: dict[str, Any]
    status: str | None
    message: str = ""


def table(*cases: Case | tuple):
    """A test's parameter ``case``, one for each."""
    read = [Case(*case) for case in cases]
    return pytest.mark.parametrize("case", read, ids=[case.name for case in read])


@functools.cache
def _read(kind: str) -> dict[str, Any]:
    return yaml.safe_load((OBJECTS / f"{kind}.yaml").read_text())


def made(kind: str, changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """The healthy object of a kind, changed: mappings are merged, None removes a key, anything else is put in its place."""
    body = deepcopy(_read(kind))
    _merge(body, changes or {})
    return body


def _merge(into: dict[str, Any], changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = deepcopy(value)


def judged(kind: str, case: Case) -> Health | None:
    """What is said of the case's object, which has to be one that the API server could have written."""
    body = made(kind, case.changes)
    if is_built_in(body["apiVersion"]) and not body["apiVersion"].startswith("extensions/"):
        kubernetes_validate.validate(body, "1.36", strict=True)
    return assess(body, now=NOW)


def check(kind: str, case: Case) -> None:
    """The case is judged as it says."""
    health = judged(kind, case)
    assert (health and health.status) == case.status, health
    assert case.message in (health.message if health else ""), health


def met(kind: str, status: str, reason: str = "", message: str = "", **more: Any) -> dict[str, Any]:
    """A condition."""
    told = {"reason": reason, "message": message}
    return {
        "type": kind, "status": status, "lastTransitionTime": "2026-08-14T11:00:00Z",
        **{key: value for key, value in told.items() if value}, **more,
    }  # fmt: skip


def status(**fields: Any) -> dict[str, Any]:
    """A change of the status."""
    return {"status": fields}


def conditions(*entries: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A change of the status with these conditions, and no others."""
    return {"status": {"conditions": list(entries), **fields}}
