"""What is told of objects that could not be compared. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gitops_bot.agent.application.state import Condition, told
from gitops_bot.agent.live.comparison import Compared

UNCOMPARED = "ComparisonWarning"
"""The condition that says which objects could not be compared, and why."""
_NAMED = 3
"""Objects that are named; more are counted."""
_NUMBER = re.compile(r"[0-9a-f]*[0-9][0-9a-f]*")


def uncompared(compared: Iterable[Compared], former: Iterable[Condition]) -> tuple[tuple[str, str], ...]:
    """The condition as type and message; none where everything could be compared.

    The first object's reason stands for all. One that differs from the former condition's in nothing but numbers
    (ports, ids of requests) leaves that as it is: it would be a write of the status, and an Event, at each look.
    """
    found = sorted((each for each in compared if each.error), key=lambda each: each.key)
    if not found:
        return ()
    names = ", ".join(str(each.key) for each in found[:_NAMED])
    more = f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
    subject = f"{names}{more} could not be compared: "
    message = told(subject + found[0].error)
    for each in former:
        if each.type == UNCOMPARED and each.message.startswith(subject) and _shape(each.message) == _shape(message):
            message = each.message
    return ((UNCOMPARED, message),)


def _shape(text: str) -> str:
    return _NUMBER.sub("0", text)
