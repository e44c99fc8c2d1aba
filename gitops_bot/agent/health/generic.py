"""Custom resources without a rule of their own: what their conditions say. Pure."""

from __future__ import annotations

import re

from gitops_bot.agent.health.subject import Subject
from gitops_bot.agent.health.verdict import UNSEEN, Health

_BAD = ("Stalled", "Failed", "Degraded")
"""Conditions that are True when something is wrong."""
_GOOD = ("Ready", "Available", "Healthy")
"""Conditions that are True when all is well."""
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_FAILURES = (
    "backoff", "crash", "denied", "err", "exceeded", "fail", "forbidden", "invalid", "misconfigured", "rejected",
    "stalled", "timeout", "unauthorized", "unsupported",
)  # fmt: skip


def generic(subject: Subject) -> Health | None:
    """The health that conditions tell, None when they tell nothing (ours, after kstatus: application-semantics 3).

    An older generation observed is Progressing; ``Stalled``, ``Failed`` or ``Degraded`` True is Degraded;
    ``Reconciling`` True is Progressing; ``Ready``, ``Available`` and ``Healthy`` have all to be True, and one that is
    False is Degraded only where its reason names a failure, because most controllers say False while they work.
    """
    if subject.behind:
        return UNSEEN
    for kind in _BAD:
        bad = subject.condition(kind, "True")
        if bad:
            return Health("Degraded", bad.told)
    working = subject.condition("Reconciling", "True")
    if working:
        return Health("Progressing", working.told)
    told = [found for found in map(subject.condition, _GOOD) if found]
    for condition in told:
        if condition.stale:
            return Health("Progressing", f"{condition.type} speaks of an older specification")
        if condition.status != "True":
            wrong = condition.status == "False" and failed(condition.reason)
            return Health("Degraded" if wrong else "Progressing", condition.told)
    return Health("Healthy", told[0].told) if told else None


def failed(reason: str) -> bool:
    """Whether the CamelCase reason of a condition names a failure: ``InstallFailed``, ``ErrGetKeyPair``."""
    words = "".join(f" {word.lower()}" for word in _WORDS.findall(reason)).replace(" back off", " backoff")
    words = words.replace(" timed out", " timeout")
    return any(f" {failure}" in words for failure in _FAILURES)
