"""Risks laid out for readers: one box for each severity, in it one group for each signal. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gitops_bot.text.detail import Detail
from gitops_bot.text.escape import Safe, md_code, md_text
from gitops_bot.text.shorten import clip, shorten_names
from gitops_bot.text.templating import where
from gitops_bot.text.view import Risk

_NAME = 200
_OBJECTS = 4
"""Objects that one entry names."""


class Group(NamedTuple):
    """Everything that one signal raises with one severity."""

    id: str
    title: str
    explanation: Safe
    entries: tuple[Safe, ...]
    """One line each, of Markdown."""
    more: int
    """Entries that are not shown."""


class Box(NamedTuple):
    """Everything of one severity, or everything that is silenced."""

    alert: str
    """The word of GitHub's alert, ``""`` for a closed block."""
    heading: str
    """Of a closed block."""
    groups: tuple[Group, ...]
    more: int
    """Entries of groups that are not shown at all."""


def boxes(risks: Sequence[Risk], detail: Detail) -> list[Box]:
    """Lay risks out: errors and warnings open, what is good to know and what is silenced closed and counted.

    Each box shows at most the rung's number of entries and says how many more there are.
    """
    loud = [risk for risk in risks if risk.silenced is None]
    errors = [risk for risk in loud if risk.severity == "error"]
    warnings = [risk for risk in loud if risk.severity == "warning"]
    info = [risk for risk in loud if risk.severity == "info"]
    silenced = [risk for risk in risks if risk.silenced is not None]
    made = (
        _box(errors, detail, alert="CAUTION"),
        _box(warnings, detail, alert="WARNING"),
        _box(info, detail, heading=f"💡 {len(info)} good to know"),
        _box(silenced, detail, heading=f"🔕 {len(silenced)} silenced by the settings"),
    )
    return [box for box in made if box.groups or box.more]


def _box(risks: Sequence[Risk], detail: Detail, *, alert: str = "", heading: str = "") -> Box:
    """Group by signal, in the order in which each first comes."""
    found: dict[str, list[Risk]] = {}
    for risk in risks:
        found.setdefault(risk.id, []).append(risk)
    groups: list[Group] = []
    left, more = detail.items, 0
    for id_, entries in found.items():
        # a group that comes late still shows one entry, as long as there are not too many groups
        shown = entries[: max(left, 1)] if len(groups) < max(detail.items, 1) else []
        if not shown:
            more += len(entries)
            continue
        left -= len(shown)
        groups.append(
            Group(
                id=clip(id_, _NAME),
                title=clip(entries[0].title, _NAME),
                explanation=_with_code(clip(entries[0].explanation, detail.characters)),
                entries=tuple(_entry(risk, detail) for risk in shown),
                more=len(entries) - len(shown),
            )
        )
    return Box(alert=alert, heading=heading, groups=tuple(groups), more=more)


def _with_code(text: str) -> Safe:
    """Escape a text in which pairs of backticks mark code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return Safe(md_text(text))
    return Safe("".join((md_code if index % 2 else md_text)(part) for index, part in enumerate(parts) if part))


def _entry(risk: Risk, detail: Detail) -> Safe:
    """``Deployment web (shop): replicas 3 → 0 · in shop``, and why it is silenced."""
    names, more = shorten_names(risk.objects, _OBJECTS)
    objects = ", ".join(md_code(clip(name, _NAME)) for name in names) + (f" and {more} more" if more else "")
    message = md_text(clip(risk.message, detail.characters))
    said = ": ".join(part for part in (objects, message) if part)
    place = f" · in {md_text(where(risk.targets))}" if risk.targets else ""
    why = f" · silenced: {md_text(clip(risk.silenced, detail.characters))}" if risk.silenced else ""
    return Safe(said + place + why)
