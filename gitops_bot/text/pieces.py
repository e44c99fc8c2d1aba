"""The pieces of a comment: each made within one rung's limits, and whole in itself.

So leaving one out breaks nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from gitops_bot.text.detail import LADDER, Detail
from gitops_bot.text.escape import Safe, fence, md_code, md_text
from gitops_bot.text.risks import boxes
from gitops_bot.text.shorten import Cut, clip, cut, fitting_diff, lines_within, shorten_names
from gitops_bot.text.templating import Templates, where
from gitops_bot.text.values import field_values
from gitops_bot.text.view import Block, ImageRow, Missing, Risk, Section, Verdict, View
from gitops_bot.text.weigh import AppRow, Weighed, app_rows
from gitops_bot.text.wording import LOSSES, losses, objects, objects_word, remarks, renames, restarts, title

Form = Literal["whole", "short", "line"]
"""How a change is told: with its whole diff, with the beginning of it, in one line."""

_ICONS: dict[Verdict, str] = {"none": "✅", "changes": "📝", "removals": "🗑️", "failed": "❌"}
_DOTS = {"added": "🟢", "changed": "🟡", "removed": "🔴"}
"""What stands before an action; the words ``added`` and ``removed`` are said as well."""
SEVERITY_ICONS = {"error": "🛑", "warning": "⚠️", "info": "💡"}
_OPEN_BLOCKS = 3
"""Up to so many distinct changes are shown opened."""
_OPEN_LINES = 60
"""Longer diffs stay closed all the same."""
_NAME = 200
"""Characters of a name in headings and lists."""
_HEAD = 400
"""About what a change's heading takes."""
_FIELDS = 4
"""Fields that a one-line change names."""
_PLANS = 10
"""Plan hashes in a comment; the one over all stands in its header."""
_SHORT_ID = re.compile(r"\b[0-9a-f]{8}\b")


_FORMS: dict[Form, str] = {
    "whole": "with the whole diff",
    "short": "with the beginning of the diff",
    "line": "in one line",
}


class Piece(NamedTuple):
    """The text of one change."""

    text: str
    form: Form


class Pieces:
    """Makes the pieces of one view."""

    def __init__(self, view: View, templates: Templates) -> None:
        self.view = view
        self._templates = templates
        self._apps: list[AppRow] | None = None
        self._few = sum(len(section.blocks) for section in view.sections) <= _OPEN_BLOCKS

    def header(self, detail: Detail, *, commits: bool = True) -> str:
        """Verdict, counts, coverage, plan hash; ``commits`` says which commits were compared."""
        view = self.view
        details, more = cut(view.details, detail.items)
        return self._templates.fill(
            "header",
            icon=verdict_icon(view),
            verdict=view.verdict,
            headline=clip(view.headline, _NAME),
            details=[clip(one, detail.characters) for one in details] + [f"and {more} more"] * bool(more),
            routine=view.routine,
            coverage=clip(view.coverage, _NAME),
            plan=_short_plan(view.plan),
            plan_reason=clip(view.plan_reason or "", detail.characters) if view.plans else "",
            compared=_sentence(clip(view.compared, detail.characters)) if commits else "",
        )

    def alerts(self, detail: Detail, reaches: str = "") -> str:
        """The boxes: conflicts, failures, errors, warnings; what is good to know and what is silenced, closed.

        ``reaches`` asks for what a later section raises.
        """
        view = self.view
        risks = [risk for risk in view.risks if risk.reaches == reaches]
        at_once = not reaches
        failed = [one for one in view.missing if one.failed and at_once]
        skipped = [one for one in view.missing if not one.failed and at_once]
        conflicts = cut(view.conflicts if at_once else (), detail.items)
        lost = cut(losses(view, reaches), detail.items)
        made = boxes(risks, detail)
        if not (failed or skipped or conflicts.items or lost.items or made or lost.more or conflicts.more):
            return ""
        shown_failed, shown_skipped = _missing(failed, detail), _missing(skipped, detail)
        return self._templates.fill(
            "alerts",
            conflicts=conflicts.items,
            more_conflicts=f" and {conflicts.more} more" if conflicts.more else "",
            failed=shown_failed.items,
            more_failed=shown_failed.more,
            failed_number=sum(len(one.ids) for one in failed),
            skipped=shown_skipped.items,
            more_skipped=shown_skipped.more,
            skipped_number=sum(len(one.ids) for one in skipped),
            losses=[(clip(what, _NAME), consequence) for what, consequence in lost.items],
            more_losses=lost.more,
            losses_heading=LOSSES,
            boxes=made,
        )

    def images(self, rows: Sequence[ImageRow], detail: Detail) -> str:
        """The table of images that move, ``""`` where none does."""
        shown = cut(rows, detail.items)
        if not rows or not detail.items:
            return ""
        return self._templates.fill("images", rows=[_clipped(row) for row in shown.items], more=shown.more)

    def section(self, section: Section, detail: Detail) -> str:
        """What stands before a section's changes: its images, and for what comes later a heading and its risks."""
        if not section.reaches:
            return ""
        heading = self._templates.fill("later", reaches=clip(section.reaches, _NAME), phrase=section.phrase)
        return heading + self.alerts(detail, section.reaches) + self.images(section.images, detail)

    def apps(self, detail: Detail) -> str:
        """The table of apps with counts, ``""`` where this rung has none."""
        if not detail.apps:
            return ""
        if self._apps is None:
            self._apps = app_rows(self.view)
        rows, more = cut(self._apps, detail.apps)
        rest = {
            name: sum(getattr(row, name) for row in self._apps[len(rows) :])
            for name in ("added", "changed", "removed", "errors", "warnings")
        }
        later = any(row.reaches for row in self._apps)
        shown = [row._replace(app=clip(row.app, _NAME), reaches=clip(row.reaches, _NAME)) for row in rows]
        return self._templates.fill("apps", rows=shown, more=more, rest=rest, later=later) if rows else ""

    def folded(self, detail: Detail) -> str:
        """What differs in noise only, and what ``ignoreDifferences`` hides: counted, listed in closed blocks."""
        noise = self._folded("only chart labels and checksums differ", self.view.noise, detail)
        return noise + self._folded("hidden by ignoreDifferences", self.view.ignored, detail)

    def footer(self, detail: Detail) -> str:
        """Warnings, moved targets, plan hashes, notes, tool versions."""
        view = self.view
        warnings, moved = cut(view.warnings, detail.items), cut(view.moved, detail.items)
        plans = cut(view.plans, min(detail.items, _PLANS))
        notes = cut((*self._templates.notes, *view.notes), detail.items)
        return self._templates.fill(
            "footer",
            warnings=[(clip(label, _NAME), clip(warning, detail.characters)) for label, warning in warnings.items],
            more_warnings=warnings.more,
            moved=[(clip(label, _NAME), clip(before, _NAME)) for label, before in moved.items],
            more_moved=moved.more,
            plans=[msgspec.structs.replace(plan, target=clip(plan.target, _NAME)) for plan in plans.items],
            more_plans=plans.more,
            plans_number=len(view.plans),
            notes=[clip(note, detail.characters) for note in notes.items]
            + [f"and {notes.more} more notes"] * bool(notes.more),
            tools=[(clip(name, _NAME), clip(version, _NAME)) for name, version in view.tools[:20]],
        )

    def block(self, one: Weighed, detail: Detail, room: int) -> Piece | None:
        """Tell one change with its diff, in at most about ``room`` characters; None when it certainly takes more."""
        block = one.block
        shown = fitting_diff(block.diff, detail.lines, width=detail.width, room=room)
        if shown is None:
            return None
        lines = "\n".join(shown.lines)
        mark = fence(lines)
        opened = self._few and not one.later and len(shown.lines) <= _OPEN_LINES
        text = self._templates.fill(
            "block",
            **_heading(one),
            open=opened,
            summary=[clip(name, _NAME) for name in block.summary],
            remarks=_remarks(block, detail),
            diff=Safe(f"{mark}diff\n{lines}\n{mark}") if lines else "",
            left_out=shown.remark,
        )
        return Piece(text, "whole" if shown.whole else "short")

    def richer(self, one: Weighed, room: int, share: float) -> Iterator[Piece]:
        """Tell one change better, best first: whole in ``room`` characters, or as much as fits in a share of them."""
        yield from filter(None, [self.block(one, LADDER[0], room)])
        lines = lines_within(one.block.diff, int(share * room) - _HEAD)
        for part in (lines, lines * 3 // 4, lines // 2, lines // 4, lines // 8):
            if part:
                yield from filter(None, [self.block(one, msgspec.structs.replace(LADDER[1], lines=part), room)])

    def line(self, one: Weighed) -> Piece:
        """Tell one change in one line: the fields that differ, with their values where these are short."""
        fields, more = one.block.fields[:_FIELDS], len(one.block.fields) - _FIELDS
        text = self._templates.fill(
            "line", **_heading(one), changes=[field_values(field) for field in fields], more=max(more, 0)
        )
        return Piece(text, "line")

    def notice(self, forms: Sequence[Form], of: int, elsewhere: str) -> str:
        """Say how many of how many changes are shown, and where the rest is; ``""`` when nothing is missing."""
        if len(forms) == of and all(form == "whole" for form in forms):
            return ""
        how = [f"{forms.count(form)} {said}" for form, said in _FORMS.items() if form in forms]
        return self._notice(len(forms), of, ", ".join(how), elsewhere)

    def longest_notice(self, of: int, elsewhere: str) -> str:
        """A notice that none for this number of changes is longer than."""
        return self._notice(of, of, ", ".join(f"{of} {said}" for said in _FORMS.values()), elsewhere)

    def bare_headline(self) -> str:
        """Icon and counts, for where nothing else fits."""
        return f"{verdict_icon(self.view)} {md_text(clip(self.view.headline, 80))}"

    def _notice(self, shown: int, of: int, how: str, elsewhere: str) -> str:
        return self._templates.fill("notice", shown=shown, of=of, how=how, elsewhere=Safe(elsewhere))

    def _folded(self, heading: str, blocks: Sequence[Block], detail: Detail) -> str:
        if not blocks:
            return ""
        shown = cut(blocks, detail.items)
        entries = [
            {
                "title": clip(title(block), _NAME),
                "what": clip(_what(block), detail.characters),
                "restarts": restarts(block),
                "where": where(block.targets),
            }
            for block in shown.items
        ]
        size = sum(block.size for block in blocks)
        noun = "resource" if size == 1 else "resources"
        return self._templates.fill("folded", heading=f"{size} {noun}: {heading}", entries=entries, more=shown.more)


def verdict_icon(view: View) -> str:
    """The worst that applies: errors wherever they are, because they fail the check; all else at once."""
    loud = [risk for risk in view.risks if risk.silenced is None]
    if view.verdict != "failed" and any(risk.severity == "error" for risk in loud):
        return SEVERITY_ICONS["error"]
    if view.verdict == "changes" and any(risk.severity == "warning" and not risk.reaches for risk in loud):
        return SEVERITY_ICONS["warning"]
    return _ICONS[view.verdict]


def _short_plan(plan: str | None) -> str:
    """``sha256:0f0f0f0f0f0f``: enough to compare by eye."""
    return plan[:19] if plan else ""


def _sentence(text: str) -> Safe:
    """Escape a sentence; short commit ids become code, so that they can be copied and link nowhere."""
    parts, last = [], 0
    for found in _SHORT_ID.finditer(text):
        parts += [md_text(text[last : found.start()]), md_code(found[0])]
        last = found.end()
    return Safe("".join((*parts, md_text(text[last:]))))


class _Reason(NamedTuple):
    """What is missing for one reason."""

    names: Safe
    reason: str


def _missing(missing: Sequence[Missing], detail: Detail) -> Cut[_Reason]:
    """Name what is missing for each reason; what does not fit is counted."""
    shown = cut(missing, detail.items)
    reasons = []
    for one in shown.items:
        ids, more = shorten_names(one.ids, min(detail.items, 20))
        names = ", ".join(md_code(clip(id_, _NAME)) for id_ in ids) + (f" and {more} more" if more else "")
        reasons.append(_Reason(Safe(names), clip(one.reason, detail.characters)))
    return Cut(tuple(reasons), shown.more)


def _clipped(row: ImageRow) -> ImageRow:
    return ImageRow(
        image=clip(row.image, _NAME), before=clip(row.before, _NAME), after=clip(row.after, _NAME), targets=row.targets
    )


def _heading(one: Weighed) -> dict[str, Any]:
    """What a change's heading says, whatever form it takes."""
    block = one.block
    return {
        "action": block.action,
        "dot": _DOTS[block.action],
        "title": clip(title(block), _NAME),
        "hook": clip(block.hook or "", _NAME),
        "where": where(block.targets),
        "risks": [{"icon": SEVERITY_ICONS[risk.severity], "title": risk.title} for risk in _distinct(one.risks)],
    }


def _distinct(risks: Sequence[Risk]) -> list[Risk]:
    """One risk of each id, errors and warnings only."""
    found = {risk.id: risk for risk in reversed(risks) if risk.severity != "info"}
    return list(reversed(found.values()))


def _remarks(block: Block, detail: Detail) -> list[str]:
    """What the heading and the diff do not say: all objects, all apps, former names, what is hidden."""
    targets, names = block.targets, objects(block)
    said = []
    many = len(targets) > len(shorten_names(targets)[0])
    if names and many and tuple(sorted(names)) == targets:
        said.append(f"apps and {objects_word(block)}: {_listed(targets, detail)}")
    else:
        said += [f"{objects_word(block)}: {_listed(names, detail)}"] if names else []
        said += [f"apps: {_listed(targets, detail)}"] if many else []
    former = renames(block)
    said += [f"renamed: {_listed(former, detail)}"] if former else []
    return [*said, *remarks(block)]


def _listed(names: Sequence[str], detail: Detail) -> str:
    """Join names up to the rung's limit, counting the rest."""
    shown, more = shorten_names(names, detail.names)
    return ", ".join(clip(name, _NAME) for name in shown) + (f" and {more} more" if more else "")


def _what(block: Block) -> str:
    """Name what is folded in a block."""
    paths, more = cut([field.path for field in block.folded], 10)
    return ", ".join(paths) + (f" and {more} more" if more else "") or "; ".join(remarks(block))
