"""Workloads that stop running."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitops_bot.model.signal import Signal
from gitops_bot.review.signals.edit import Edit
from gitops_bot.review.signals.values import at

_ONE_BY_DEFAULT = frozenset(
    (("apps", "Deployment"), ("apps", "ReplicaSet"), ("apps", "StatefulSet"), ("", "ReplicationController"),
     ("argoproj.io", "Rollout"))
)  # fmt: skip
"""Kinds whose ``replicas`` is 1 where it is not given."""


def scaled_to_zero(edit: Edit) -> Iterator[Signal]:
    """Raise replicas that fall to 0, and what is suspended, in an object that was there and ran before.

    A new object that starts at zero stops nothing; an autoscaler that may go down to zero when idle is meant to.
    """
    if edit.added or edit.removed:
        return
    for field in ("replicas", "parallelism"):
        if field == "parallelism" and edit.type != ("batch", "Job"):
            continue
        if _count(at(edit.after, "spec", field)) == 0:
            default = 1 if edit.type in _ONE_BY_DEFAULT or field == "parallelism" else None
            before = _count(at(edit.before, "spec", field))
            before = default if at(edit.before, "spec", field) is None else before
            if before:
                yield edit.signal("scaled-to-zero", f"{field} {min(before, 10**9)} → 0", path=f"spec.{field}")
    was, suspended = (at(side, "spec", "suspend") is True for side in (edit.before, edit.after))
    if suspended and not was and edit.type in (("batch", "CronJob"), ("batch", "Job")):
        message = f"The {edit.key.kind} is suspended: it does not run any more"
        yield edit.signal("scaled-to-zero", message, path="spec.suspend")


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
