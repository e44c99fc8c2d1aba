"""Short names for the fields of a change: what a reader scans before reading its diff."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gitops_bot.model.change import FieldChange

SHOWN = 4
"""How many names a summary holds; the rest is counted."""

_LAST_NAMED = re.compile(r"(?P<list>\w+)\[(?:name|key|containerPort|port|mountPath|topologyKey|\w+)=(?P<item>[^\]]*)\]")
_INDEX = re.compile(r"\[\d+\]")
_WORDY_HEADS = ("spec.template.spec.", "spec.jobTemplate.spec.template.spec.", "spec.", "metadata.")


def field_summary(fields: Iterable[FieldChange]) -> tuple[str, ...]:
    """Name the fields that differ, shortest useful name, each once, in order: ``SHOWN`` and then ``+3 more``."""
    names = list(dict.fromkeys(short_name(field.path) for field in fields))
    if len(names) <= SHOWN + 1:
        return tuple(names)
    return (*names[:SHOWN], f"+{len(names) - SHOWN} more")


def short_name(path: str) -> str:
    """Shorten a field's path to what people call it.

    ``spec.template.spec.containers[name=api].image`` is ``image``, ``…env[name=LOG_LEVEL].value`` is
    ``env LOG_LEVEL``, ``spec.replicas`` is ``replicas``, ``…containers[name=api].resources.limits.memory`` is
    ``resources.limits.memory``.
    """
    named = list(_LAST_NAMED.finditer(path))
    if named and named[-1]["list"] not in ("containers", "initContainers"):
        return f"{named[-1]['list']} {named[-1]['item']}"
    rest = path[named[-1].end() :].lstrip(".") if named else path
    if not rest:
        return f"{named[-1]['list']} {named[-1]['item']}" if named else path
    for head in _WORDY_HEADS:
        if not named and rest.startswith(head):
            rest = rest[len(head) :]
            break
    return _INDEX.sub("", rest) or path
