"""The parts of an object that rules read, whatever JSON stands in their place. Pure; nothing here raises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec


class Condition(NamedTuple):
    """One entry of ``status.conditions``."""

    type: str
    status: str
    """``True``, ``False`` or ``Unknown``, as written."""
    reason: str
    message: str
    stale: bool
    """True when it says itself that it speaks of an older generation of the object."""

    @property
    def told(self) -> str:
        """What there is to say of it: the message, without one the reason."""
        return self.message or self.reason


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """An object under judgement."""

    now: datetime
    created: datetime | None
    """When it was created, aware; None where that cannot be read."""
    generation: int
    """0 where there is none."""
    annotations: Mapping[str, Any]
    spec: Mapping[str, Any]
    status: Mapping[str, Any]
    conditions: Mapping[str, Condition]
    """By type; the first of several of one type."""

    @property
    def observed(self) -> int | None:
        """``status.observedGeneration``, None where there is none; Argo Rollouts writes it as text."""
        return generation(self.status.get("observedGeneration"))

    @property
    def behind(self) -> bool:
        """Whether the controller says of itself that it has not seen the newest specification."""
        return self.observed is not None and self.observed < self.generation

    @property
    def unseen(self) -> bool:
        """As ``behind``, for kinds whose controllers always say it: silence means that it was never seen."""
        return (self.observed or 0) < self.generation

    def condition(self, kind: str, status: str | None = None) -> Condition | None:
        """The condition of this type, None when there is none or it has another status than the one asked for."""
        found = self.conditions.get(kind)
        return found if found and status in (None, found.status) else None


def subject_of(body: Mapping[str, Any], *, now: datetime) -> Subject:
    """The parts of an object as the API server gives it; what is not there, or is something else, reads as empty."""
    metadata = mapping(body.get("metadata"))
    status = mapping(body.get("status"))
    newest = number(metadata.get("generation"))
    return Subject(
        now=now,
        created=moment(metadata.get("creationTimestamp")),
        generation=newest,
        annotations=mapping(metadata.get("annotations")),
        spec=mapping(body.get("spec")),
        status=status,
        conditions=conditions_of(mappings(status.get("conditions")), newest),
    )


def conditions_of(entries: Iterable[Mapping[str, Any]], newest: int = 0) -> dict[str, Condition]:
    """Conditions by type, in the order written; ``newest`` is the object's generation."""
    found: dict[str, Condition] = {}
    for entry in entries:
        kind, status, reason, message = (text(entry.get(key)) for key in ("type", "status", "reason", "message"))
        seen = generation(entry.get("observedGeneration"))
        found.setdefault(kind, Condition(kind, status, reason, message, seen is not None and seen < newest))
    return found


# -- what JSON may hold -----------------------------------------------------------------------------------------------


def at(body: Mapping[str, Any], *path: str) -> Any:
    """The value under these keys, None where one is missing or leads nowhere."""
    value: Any = body
    for key in path:
        value = mapping(value).get(key)
    return value


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a mapping, an empty one otherwise."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """The mappings in a list; none if it is no list."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def number(value: Any, default: int = 0) -> int:
    """The value if it is a whole number, the default otherwise."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def generation(value: Any) -> int | None:
    """A generation, written as a number or as digits; None for anything else, such as the hashes of old Rollouts."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def text(value: Any) -> str:
    """The value if it is text, ``""`` otherwise."""
    return value if isinstance(value, str) else ""


def moment(value: Any) -> datetime | None:
    """A timestamp with its zone, None for anything else."""
    try:
        read = datetime.fromisoformat(text(value))
    except ValueError:
        return None
    return read if read.tzinfo else None
