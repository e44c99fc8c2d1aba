"""How an operation goes on, and what the history keeps of it: from one state to the next. Pure.

The phases are Argo CD's (application-semantics 2.5, 2.6, 2.14).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from gitops_bot.agent.application.state import (
    HistoryEntry,
    Operation,
    OperationState,
    ResourceResult,
    Specification,
    Status,
    Sync,
    SyncOperation,
    SyncResult,
    told,
)
from gitops_bot.agent.rules.autosync import Attempt
from gitops_bot.agent.rules.policy import DEFAULT_HISTORY
from gitops_bot.model import typed
from gitops_bot.model.application import Source

_SHORT = 7
"""Letters of a commit that name it at least, as Git abbreviates."""
_LONG = 500
"""Characters of one text of a source, beyond which the history names its length only."""


def begun(
    operation: Operation,
    *,
    revisions: Sequence[str],
    sources: Sequence[Specification],
    several: bool,
    now: datetime,
) -> OperationState:
    """An operation that starts.

    ``revisions`` are the commits of the ``sources``, in their order; ``several`` says that ``spec`` has a list of them.
    """
    result = SyncResult(
        revision="" if several else "".join(revisions[:1]),
        revisions=tuple(revisions) if several else (),
        source=None if several or not sources else sources[0],
        sources=tuple(sources) if several else (),
    )
    return OperationState(operation=operation, phase="Running", sync_result=result, started_at=now)


_BACK = "to go back, revert in Git (`gitops-bot rollback`)"


def refusal(sync: SyncOperation, commits: Sequence[str], sources: Sequence[Specification], *, several: bool) -> str:
    """Why an operation that somebody asked for is not carried out, ``""`` when it is.

    It may name what is followed in any way that is true: the commit, the beginning of it, the ``targetRevision``. What
    differs from it is refused (ours): Git alone says what is applied. ``commits`` are those of the ``sources``, in
    their order, empty where nobody knows them.
    """
    if sync.manifests:
        return "it brings manifests of its own, and only what Git says is applied: commit them"
    wanted = sync.sources if several else ((sync.source,) if sync.source is not None else sync.sources)
    if wanted and identity((), wanted) != identity((), sources):
        return f"it names another source than spec does: {_BACK}; to follow another one, change the spec"
    revisions = sync.revisions or ((sync.revision,) if sync.revision and not several else ())
    if not revisions or not commits:
        return ""
    if len(revisions) != len(sources):
        return f"it names {len(revisions):,} revisions for {len(sources):,} sources"
    for revision, commit, source in zip(revisions, commits, sources, strict=True):
        target = str(source.get("targetRevision") or "HEAD")
        if revision not in ("", target) and not (commit and _names(revision, commit)):
            followed = f"{target} at {commit[:8]}" if commit else target
            return f"it asks for {revision}, and {followed} is followed: {_BACK}; to follow it, change targetRevision"
    return ""


def _names(revision: str, commit: str) -> bool:
    return len(revision) >= _SHORT and commit.startswith(revision.lower())


def refused(operation: Operation, reason: str, now: datetime) -> OperationState:
    """An operation that was not begun. It is nobody's attempt at what Git says."""
    message = told(f"refused: {reason}")
    return OperationState(operation=operation, phase="Failed", message=message, started_at=now, finished_at=now)


def progressed(state: OperationState, message: str, results: Iterable[ResourceResult]) -> OperationState:
    """A running operation with what it has done so far, and what it waits for."""
    return _with_results(replace(state, message=told(message)), results)


def waiting(state: OperationState, message: str, now: datetime) -> OperationState:
    """A failed operation that will be tried again: still Running, with ``finishedAt``, its results cleared (2.5)."""
    again = replace(state, phase="Running", message=told(message), finished_at=now, retry_count=state.retry_count + 1)
    return _with_results(again, ())


def resumed(state: OperationState) -> OperationState:
    """The retry begins."""
    return replace(state, finished_at=None)


def finished(
    state: OperationState,
    phase: Literal["Succeeded", "Failed", "Error"],
    message: str,
    results: Iterable[ResourceResult],
    now: datetime,
) -> OperationState:
    """An operation that has ended."""
    return _with_results(replace(state, phase=phase, message=told(message), finished_at=now), results)


def _with_results(state: OperationState, results: Iterable[ResourceResult]) -> OperationState:
    if state.sync_result is None:
        return state
    cleaned = tuple(replace(each, message=told(each.message)) for each in results)
    return replace(state, sync_result=replace(state.sync_result, resources=cleaned))


# -- history ----------------------------------------------------------------------------------------------------------


def recorded(
    history: Sequence[HistoryEntry], state: OperationState, limit: int | None = None
) -> tuple[HistoryEntry, ...]:
    """The history after an operation: one entry more where it was full, in earnest, and succeeded (2.14).

    ``limit`` is ``revisionHistoryLimit``: the newest entries are kept, 10 for None, none for 0. Ids go on from the last
    entry's.
    """
    result = state.sync_result
    kept = [_slimmed(entry) for entry in history]
    if state.is_full and state.phase == "Succeeded" and result is not None and state.finished_at is not None:
        kept.append(
            HistoryEntry(
                id=history[-1].id + 1 if history else 0,
                revision=result.revision,
                revisions=result.revisions,
                source=result.source,
                sources=result.sources,
                deploy_started_at=state.started_at,
                deployed_at=state.finished_at,
                initiated_by=state.operation.initiated_by,
            )
        )
    else:
        kept = list(history)
    most = DEFAULT_HISTORY if limit is None else max(0, limit)
    return tuple(kept[max(0, len(kept) - most) :])


def _slimmed(entry: HistoryEntry) -> HistoryEntry:
    """Only the newest entry has its sources in full: the next sync is compared with them."""
    source = slim(entry.source) if entry.source is not None else None
    return replace(entry, source=source, sources=tuple(slim(each) for each in entry.sources))


def slim(source: Specification) -> Specification:
    """A source without its long texts and its ``valuesObject``: Git has them at the revision beside it."""
    helm = source.get("helm")
    if isinstance(helm, dict) and helm.get("valuesObject") is not None:
        source = {**source, "helm": {key: item for key, item in helm.items() if key != "valuesObject"}}
    slimmed: Specification = _slim(source)
    return slimmed


def _slim(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _LONG:
        return f"({len(value):,} characters)"
    if isinstance(value, dict):
        return {key: _slim(item) for key, item in value.items()}
    return [_slim(item) for item in value] if isinstance(value, list) else value


# -- what was tried last ----------------------------------------------------------------------------------------------


def identity(revisions: Sequence[str], sources: Sequence[Specification]) -> str:
    """What a sync is about, as one text: the commits, and the sources without their ``targetRevision`` (2.3).

    Another branch name for the same commit is the same thing. Notations that the API server changes, and fields that
    its CRD drops, make no difference: the same source is recognised in Git and in the cluster.
    """
    return msgspec.json.encode([list(revisions), [_canonical(each) for each in sources]], order="sorted").decode()


def _canonical(source: Specification) -> Any:
    try:
        known = msgspec.to_builtins(typed.convert(_even(source), Source))
    except msgspec.ValidationError:
        return source
    return {key: item for key, item in known.items() if key != "targetRevision"}


def _even(value: Any) -> Any:
    """Without nulls, and whole numbers as such: the API server writes 1.0 as 1."""
    if isinstance(value, dict):
        return {key: _even(item) for key, item in value.items() if item is not None}
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return [_even(item) for item in value] if isinstance(value, list) else value


def last_attempt(status: Status, failures: int) -> Attempt | None:
    """The last sync of the whole Application that has ended, None where there was none.

    It is the last operation, or, where that was about some objects only, the newest entry of the history.
    ``failures`` counts how often in a row it failed, and is at least 1 for one that did.
    """
    state = status.operation_state
    if state is not None and state.is_full and state.is_finished and state.sync_result is not None:
        succeeded = state.phase == "Succeeded"
        return Attempt(
            identity=identity_of(state.sync_result),
            succeeded=succeeded,
            finished=state.finished_at or state.started_at,
            failures=0 if succeeded else max(1, failures),
        )
    if not status.history:
        return None
    newest = status.history[-1]
    return Attempt(identity=identity_of(newest), succeeded=True, finished=newest.deployed_at)


def identity_of(done: SyncResult | HistoryEntry) -> str:
    """What an operation or an entry of the history is about, as ``identity`` says it."""
    if done.sources:
        return identity(done.revisions, done.sources)
    return identity((done.revision,), () if done.source is None else (done.source,))


def compared_with(sync: Sync) -> str:
    """What the objects were compared with, as ``identity`` says it; ``""`` where that is not told."""
    compared = sync.compared_to
    if compared is None:
        return ""
    one = () if compared.source is None else (compared.source,)
    return identity(sync.revisions or (sync.revision,), compared.sources or one)


def unsolved(status: Status) -> OperationState | None:
    """The last operation while something is to be done about it, None when it succeeded or is overtaken.

    One that failed is overtaken when everything is Synced all the same: Git has something else by now, or it was about
    some objects only. A failed sync of what Git says now counts even then: its hooks have not done their work.
    """
    state, sync = status.operation_state, status.sync
    if state is None or state.phase == "Succeeded":
        return None
    if not state.is_finished or sync is None or sync.status != "Synced":
        return state
    done = state.sync_result if state.is_full else None
    return state if done is not None and identity_of(done) == compared_with(sync) else None


def found_equal(status: Status, spec: Specification) -> str:
    """What the status says everything was equal to, as ``identity`` says it.

    ``""`` when it was not equal, or was compared in another way than ``spec`` asks for now.
    """
    sync = status.sync
    compared = sync.compared_to if sync is not None else None
    if sync is None or compared is None or sync.status != "Synced":
        return ""
    same = compared.destination == spec.get("destination")
    if not same or compared.ignore_differences != tuple(spec.get("ignoreDifferences") or ()):
        return ""
    return compared_with(sync)
