"""What is told of an Application beside its status: a line in the log, an Event, a count.

One call for each thing that happens; reasons are words in CamelCase, as those of Events are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Protocol

from gitops_bot.agent.application.record import AppObject
from gitops_bot.agent.application.state import told
from gitops_bot.agent.live.comparison import Compared
from gitops_bot.agent.reports.events import Recorder
from gitops_bot.agent.reports.metrics import PHASES, Metrics
from gitops_bot.agent.rules.guards import APPROVED, Hold
from gitops_bot.model.resource import ResourceKey

STARTED = "OperationStarted"
ENDED = "Operation"
"""With the phase behind it: ``OperationSucceeded``, ``OperationFailed``, ``OperationError``."""
REFUSED = "OperationRefused"
DRIFT = "DriftDetected"
HEALED = "DriftHealed"
HELD = "PruneHeldWarning"
RESTORED = "DefinitionRestored"
DELETING = "DeletionStarted"
DELETED = "DeletionFinished"
_NORMAL = frozenset((STARTED, f"{ENDED}Succeeded", HEALED, "OperationInterrupted", DELETING, DELETED))
"""Reasons that need nobody's attention."""
_MOST = 3
"""Objects, and fields of one, that are named; more are counted."""
_log = logging.getLogger(__name__)


class Tell(Protocol):
    """Tells people and programs of what happened."""

    def __call__(self, app: AppObject, reason: str, message: str, *, objects: int = 1) -> None:
        """The Application, the reason, a sentence, and how many objects it is about."""
        ...


class Teller:
    """A ``Tell`` that logs, counts, and has an Event written."""

    def __init__(self, metrics: Metrics, recorder: Recorder) -> None:
        """Take what counts, and what writes Events."""
        self._metrics = metrics
        self._recorder = recorder

    def __call__(self, app: AppObject, reason: str, message: str, *, objects: int = 1) -> None:
        """As ``Tell``."""
        text, warning = told(message), reason not in _NORMAL
        level = logging.WARNING if warning else logging.INFO
        _log.log(level, "%s", text, extra={"app": app.key.name, "reason": reason})
        self._count(reason, objects)
        self._recorder.put(app, reason, text, warning=warning)

    def _count(self, reason: str, objects: int) -> None:
        phase = reason.removeprefix(ENDED)
        if phase in PHASES:
            self._metrics.synced(phase)
        elif reason == DRIFT:
            self._metrics.drifted(objects)
        elif reason == HEALED:
            self._metrics.healed(objects)
        elif reason == HELD:
            self._metrics.held()


def named(keys: Sequence[ResourceKey]) -> str:
    """The first objects, and how many more."""
    more = f" and {len(keys) - _MOST:,} more" if len(keys) > _MOST else ""
    return ", ".join(map(str, keys[:_MOST])) + more


def approval_told(app: AppObject, approved: Sequence[Hold]) -> str:
    """What a sync prunes only because somebody approved it, to be said behind what it is; ``""`` for nothing."""
    guards = ", ".join(each.guard for each in approved)
    return f"; what a guard held ({guards}) was approved at {app.annotations.get(APPROVED, '')}" if guards else ""


def drift_told(compared: Iterable[Compared]) -> str:
    """Which fields of which objects were changed, or which were deleted: paths, never what is in them."""
    drifted = list(compared)
    named = []
    for each in drifted[:_MOST]:
        paths = [change.path for change in each.drift] if each.live is not None else ["deleted"]
        more = f" and {len(paths) - _MOST} more" if len(paths) > _MOST else ""
        named.append(f"{each.key}: {', '.join(paths[:_MOST])}{more}")
    more = f"; and {len(drifted) - _MOST:,} more objects" if len(drifted) > _MOST else ""
    return "; ".join(named) + more
