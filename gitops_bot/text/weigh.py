"""What matters most in a view: which changes are risky, who is given room first, what happens to each app. Pure."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from gitops_bot.model.change import Action
from gitops_bot.model.signal import SEVERITIES, Severity
from gitops_bot.text.view import Block, Risk, View
from gitops_bot.text.wording import member_name

_ACTIONS: tuple[Action, ...] = ("removed", "changed", "added")


class Weighed(NamedTuple):
    """One block and how much it matters."""

    section: int
    """Index of its section in the view."""
    later: bool
    """Whether the merge does not bring it."""
    place: int
    """Its place in reading order over all sections."""
    block: Block
    risks: tuple[Risk, ...]
    """What is raised for one of its objects and not silenced, worst first."""

    @property
    def severity(self) -> Severity | None:
        """The worst of its risks."""
        return self.risks[0].severity if self.risks else None

    @property
    def pressing(self) -> bool:
        """Whether somebody must look: an error or a warning is raised for it, or it takes more along than itself."""
        return self.severity in ("error", "warning") or bool(self.block.consequence)

    @property
    def single(self) -> bool:
        """Whether it is one object in one app: nothing was grouped."""
        return self.block.size == 1


class AppRow(NamedTuple):
    """What happens to one app."""

    app: str
    reaches: str
    """As ``Section.reaches``."""
    added: int
    changed: int
    removed: int
    errors: int
    warnings: int


def weigh(view: View) -> tuple[Weighed, ...]:
    """Give every block of the sections its risks, in reading order."""
    by_object: dict[tuple[str, str], list[_Raised]] = {}
    for number, risk in enumerate(view.risks):
        if risk.silenced is None:
            raised = _Raised(number, risk, frozenset(risk.targets))
            for name in risk.objects:
                by_object.setdefault((risk.reaches, name), []).append(raised)
    found: list[Weighed] = []
    for number, section in enumerate(view.sections):
        for block in section.blocks:
            risks = _risks(block, section.reaches, by_object) if by_object else ()
            found.append(Weighed(number, bool(section.reaches), len(found), block, risks))
    return tuple(found)


def by_weight(found: tuple[Weighed, ...]) -> list[Weighed]:
    """Order blocks by how much they matter: what comes at once, errors, removals that take more along, warnings."""

    def weight(one: Weighed) -> tuple[bool, int, bool, int, int]:
        rank = SEVERITIES.index(one.severity) if one.severity else len(SEVERITIES)
        return (one.later, rank, not one.block.consequence, _ACTIONS.index(one.block.action), one.place)

    return sorted(found, key=weight)


def app_rows(view: View) -> list[AppRow]:
    """Count what happens to each app, those with errors, warnings and removals first."""
    counted: dict[tuple[str, str], Counter[str]] = {}
    for section in view.sections:
        for block in section.blocks:
            for member in block.members:
                for target in member.targets:
                    counted.setdefault((target, section.reaches), Counter())[block.action] += 1
    for risk in view.risks:
        if risk.silenced is None:
            for target in risk.targets:
                counted.setdefault((target, risk.reaches), Counter())[risk.severity] += 1
    rows = [
        AppRow(app, reaches, now["added"], now["changed"], now["removed"], now["error"], now["warning"])
        for (app, reaches), now in counted.items()
    ]
    return sorted(
        rows,
        key=lambda row: (
            bool(row.reaches), -row.errors, -row.warnings, -row.removed, -row.added - row.changed, row.app, row.reaches,
        ),
    )  # fmt: skip


class _Raised(NamedTuple):
    """One risk, ready to be looked up."""

    number: int
    risk: Risk
    targets: frozenset[str]


def _risks(block: Block, reaches: str, by_object: dict[tuple[str, str], list[_Raised]]) -> tuple[Risk, ...]:
    """Find what is raised for an object of this block in one of its apps, each once, worst first."""
    found: dict[int, Risk] = {}
    for member in block.members:
        for raised in by_object.get((reaches, f"{block.kind} {member_name(member)}"), ()):
            if raised.number not in found and any(target in raised.targets for target in member.targets):
                found[raised.number] = raised.risk
    return tuple(sorted(found.values(), key=lambda risk: SEVERITIES.index(risk.severity)))
