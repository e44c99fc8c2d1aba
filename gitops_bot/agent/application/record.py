"""What the agent knows of one Application between two looks at it; lost with the process, and made anew after it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from gitops_bot.agent.application.state import Operation, Status, read_operation, unpack
from gitops_bot.agent.health.verdict import Health
from gitops_bot.agent.ownership.identity import App
from gitops_bot.agent.ownership.memory import Memory
from gitops_bot.agent.rules.guards import APPROVED
from gitops_bot.agent.rules.handover import Patience
from gitops_bot.agent.rules.timing import Heals
from gitops_bot.agent.values import Live, live_of
from gitops_bot.model import typed
from gitops_bot.model.application import Application
from gitops_bot.model.project import DEFAULT_PROJECT
from gitops_bot.model.resource import ResourceKey

API = "argoproj.io/v1alpha1"
FINALIZER = "resources-finalizer.argocd.argoproj.io"
REFRESH = "argocd.argoproj.io/refresh"
SKIP = "argocd.argoproj.io/skip-reconcile"
PLAN = "gitops-bot/plan"
"""Annotation with the plan hash of what is wanted, as a pull request's comment has it."""
FAILURES = "gitops-bot/failures"
"""Annotation with how often in a row a sync of the same commit failed."""
DEFINED = "gitops-bot/defined"
"""Label of objects that this agent made from Git: ``true``."""
GUARD = "gitops-bot/prune-guard"
"""Annotation with the thresholds of the prune guards as they were when the Application was last Synced."""

REMOVAL_HELD = "gitops-bot/removal-held"
"""Annotation with the moment since when the removal of an Application that left Git is held: approvals are newer."""


def without_state(annotations: Mapping[str, str]) -> dict[str, str]:
    """Annotations from Git without those that only the cluster has: what the agent keeps, and what people approve.

    A commit could otherwise approve its own deletions.
    """
    return {name: value for name, value in annotations.items() if name not in _STATE}


_STATE = (PLAN, FAILURES, GUARD, REMOVAL_HELD, APPROVED)


class AppObject(msgspec.Struct, frozen=True, kw_only=True):
    """An ``Application`` object of the agent's namespace, as the API server has it; made by ``as_object``."""

    body: dict[str, Any]
    """Without its status, and without who owns which of its fields."""
    application: Application
    packed: bytes = b"{}"
    """The status as JSON: a tenth of what it takes once it is read, and a thousand Applications are kept."""
    managed: bytes = b"null"
    """Who owns which of its fields, as JSON."""

    @property
    def key(self) -> App:
        metadata = self.body["metadata"]
        return App(metadata["name"], metadata["namespace"])

    @property
    def live(self) -> Live:
        """Its metadata as that of any object, with who owns which of its fields."""
        metadata = {**self.body["metadata"], "managedFields": msgspec.json.decode(self.managed)}
        return live_of({**self.body, "metadata": metadata}, ResourceKey("argoproj.io", "Application", *self.key[::-1]))

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.body["metadata"].get("annotations") or {}

    @property
    def labels(self) -> Mapping[str, str]:
        return self.body["metadata"].get("labels") or {}

    @property
    def uid(self) -> str:
        return str(self.body["metadata"]["uid"])

    @property
    def version(self) -> str:
        return str(self.body["metadata"].get("resourceVersion", ""))

    @property
    def created(self) -> datetime:
        """When the object was made."""
        return datetime.fromisoformat(self.body["metadata"]["creationTimestamp"])

    @property
    def finalizers(self) -> tuple[str, ...]:
        return tuple(self.body["metadata"].get("finalizers") or ())

    @property
    def deleting(self) -> bool:
        return "deletionTimestamp" in self.body["metadata"]

    @property
    def is_skipped(self) -> bool:
        """Whether somebody asks that it is left alone."""
        return self.annotations.get(SKIP) == "true"

    @property
    def cascades(self) -> str:
        """The finalizer by which its objects go with it, ``""`` when they stay."""
        return next((each for each in self.finalizers if each.partition("/")[0] == FINALIZER), "")

    @property
    def status(self) -> Status:
        return unpack(self.packed)

    @property
    def operation(self) -> Operation | None:
        """What somebody asked for. Raises ValueError for what cannot be read."""
        return read_operation(self.body.get("operation"))

    @property
    def failures(self) -> int:
        """How often in a row a sync of the same commit failed."""
        text = self.annotations.get(FAILURES, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0

    @property
    def held_since(self) -> datetime | None:
        """Since when its removal is held, None where it is not."""
        try:
            found = datetime.fromisoformat(self.annotations.get(REMOVAL_HELD, ""))
        except ValueError:
            return None
        return found if found.tzinfo is not None else None

    @property
    def sources(self) -> tuple[dict[str, Any], ...]:
        """The sources as they are written."""
        spec = self.body["spec"]
        return tuple(spec["sources"]) if spec.get("sources") else ((spec["source"],) if spec.get("source") else ())

    @property
    def project(self) -> str:
        """The name of its project."""
        return self.application.spec.project or DEFAULT_PROJECT

    @property
    def several(self) -> bool:
        """Whether ``spec`` has a list of sources."""
        return bool(self.body["spec"].get("sources"))


def slim(body: Mapping[str, Any]) -> dict[str, Any]:
    """An Application's JSON with its status as it is kept: a list of a thousand need not be in memory as read."""
    packed = msgspec.Raw(msgspec.json.encode(body.get("status")))
    return {name: item for name, item in body.items() if name != "status"} | {"status": packed}


def as_object(body: Mapping[str, Any]) -> AppObject:
    """An Application from the API server's JSON, which need not name its kind.

    Raises msgspec.ValidationError for one whose specification cannot be read.
    """
    kept = {name: item for name, item in body.items() if name != "status"} | {"apiVersion": API, "kind": "Application"}
    kept["metadata"] = {name: item for name, item in body["metadata"].items() if name != "managedFields"}
    application = typed.convert(_even(kept), Application)
    packed, managed = (
        msgspec.json.encode(each) for each in (body.get("status"), body["metadata"].get("managedFields"))
    )
    return AppObject(body=kept, application=application, packed=packed, managed=managed)


def _even(value: Any) -> Any:
    """Without nulls: a field that is null is not given."""
    if isinstance(value, dict):
        return {key: _even(item) for key, item in value.items() if item is not None}
    return [_even(item) for item in value] if isinstance(value, list) else value


def is_news(before: AppObject | None, after: AppObject | None) -> bool:
    """Whether something else than our own status has changed; what somebody asked for and is gone, we have taken."""
    if before is None or after is None:
        return True
    one, other = before.body, after.body
    return (
        one["spec"] != other["spec"]
        or other.get("operation") not in (None, one.get("operation"))
        or before.deleting != after.deleting
        or after.annotations.get(REFRESH) not in (None, before.annotations.get(REFRESH))
        or _saying(before) != _saying(after)
    )


def _saying(app: AppObject) -> dict[str, str]:
    """The annotations by which people say how it is to be worked on; the record of the guard is ours."""
    saying = ("argocd.", "gitops-bot/prune")
    return {
        name: text for name, text in app.annotations.items() if name.startswith(saying) and name not in (GUARD, REFRESH)
    }


class Judged(NamedTuple):
    """The health of one object as it was in one version."""

    version: str
    health: Health | None


class Rendered(NamedTuple):
    """The last rendering: whether it has to be done again, and what it is called."""

    key: str
    """What it was made of."""
    plan: str
    types: tuple[str, ...]
    packed: bytes
    """The objects (``desired.pack``): one that was touched is compared without rendering again."""


class Unrendered(NamedTuple):
    """A rendering that came to nothing."""

    key: str
    """What it was made of."""
    error: str
    again: datetime
    """When it is tried again."""
    times: int
    """How often it had failed before."""


class Held(NamedTuple):
    """A prune that a guard holds."""

    keys: frozenset[ResourceKey]
    """What would go: an approval counts for nothing else."""
    since: datetime
    """Since when: an approval has to be newer."""
    before: str = ""
    """The approval that was there when it began: given for something else."""


class Record:
    """One Application. Only one thread works on it at a time."""

    def __init__(self, uid: str = "") -> None:
        """Take the uid of the object."""
        self.uid = uid
        self.memory = Memory()
        self.health: dict[ResourceKey, Judged] = {}
        self.heals: dict[ResourceKey, Heals] = {}
        self.rendered: Rendered | None = None
        self.unrendered: Unrendered | None = None
        """None: the last rendering came to something."""
        self.equal = ""
        """What of Git everything was found equal to last, as ``operation.identity`` says it, ``""`` for nothing."""
        self.drifted: frozenset[tuple[ResourceKey, tuple[str, ...]]] = frozenset()
        """What somebody changed in the cluster as it was told last: objects, and the paths of their fields."""
        self.held: Held | None = None
        self.ending = False
        """Whether it was told what is deleted with it."""
        self.misses = 0
        """How often in a row something of it could not be compared."""
        self.patience: Patience | None = None
        """How long it waits for other Applications, None where it does not."""
        self.refresh = ""
        """What the annotation asked for that was taken away, until it was done: whatever fails on the way."""
