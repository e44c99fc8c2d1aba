"""The terminal's text as styled lines: one layout for colour and for pipes. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from gitops_bot.model.signal import Severity
from gitops_bot.text.escape import visible, visible_lines
from gitops_bot.text.shorten import GAP, MOST_LINES, MOST_MISSING, shorten_diff, shorten_names
from gitops_bot.text.view import Block, ImageRow, Section, View
from gitops_bot.text.wording import (
    LOSSES,
    SIGNS,
    apps,
    image_sides,
    losses,
    objects,
    objects_word,
    remarks,
    renames,
    restarts,
    title,
)

Style = Literal["", "strong", "dim", "add", "change", "remove", "alarm", "warn", "good", "loud"]
"""What a piece of text means; the terminal gives it a colour."""

_ACTIONS: dict[str, Style] = {"added": "add", "changed": "change", "removed": "remove"}
_LINES: dict[str, Style] = {"+": "add", "-": "remove", GAP: "dim"}


class Span(NamedTuple):
    """A piece of a line, free of control characters."""

    text: str
    style: Style = ""


Line = tuple[Span, ...]


def lay_out(view: View, *, most_lines: int = MOST_LINES) -> Iterator[Line]:
    """Yield the lines of the terminal's text; ``most_lines`` limits the diff of one resource."""
    yield from _head(view)
    yield from _not_rendered(view)
    yield from _risks(view)
    yield from _losses(view)
    yield from _images(view.images)
    for section in view.sections:
        yield from _section(section, most_lines)
    yield from _folded("Only chart labels and checksums differ", view.noise)
    yield from _folded("Hidden by ignoreDifferences", view.ignored)
    yield from _list("Warnings", "warn", [f"{label}: {warning}" for label, warning in view.warnings])
    yield from _list("Moved", "", [f"{label}: was {before}" for label, before in view.moved])
    yield from _foot(view)


def _line(text: str = "", style: Style = "") -> Line:
    """One line of one style, made visible."""
    return (Span(visible(text), style),)


def _head(view: View) -> Iterator[Line]:
    """The counts, what was compared and how much of it was looked at."""
    yield _headline(view)
    for detail in view.details:
        yield _line(f"  {detail}")
    yield ()
    yield (Span("  compared  ", "dim"), Span(visible(view.compared)))
    for index, path in enumerate(view.conflicts):
        yield (Span("  these do not merge: " if index == 0 else " " * 22, "alarm"), Span(visible(path), "alarm"))
    yield _coverage(view)


def _headline(view: View) -> Line:
    """The headline; counts take the colour of their action, zeros stay in the background."""
    counted = re.fullmatch(r"(\d+ to add), (\d+ to change), (\d+ to remove)", view.headline)
    if not counted:
        return _line(view.headline, "good" if view.verdict == "none" else "strong")
    styles: tuple[Style, ...] = ("good", "loud", "alarm")
    spans: list[Span] = []
    for part, style in zip(counted.groups(), styles, strict=True):
        spans += [Span(", ", "dim")] if spans else []
        spans.append(Span(part, "dim" if part.startswith("0 ") else style))
    return tuple(spans)


def _coverage(view: View) -> Line:
    """How much was looked at; what failed stands out."""
    spans = [Span("  coverage  ", "dim")]
    for index, part in enumerate(view.coverage.split("; ")):
        spans += [Span("; ")] if index else []
        spans.append(Span(visible(part), "alarm" if re.fullmatch(r"[1-9]\d* failed", part) else ""))
    return tuple(spans)


def _not_rendered(view: View) -> Iterator[Line]:
    """What could not be rendered and why: never buried, failures first, each reason once."""
    if not view.missing:
        return
    yield ()
    number = sum(len(one.ids) for one in view.missing)
    yield _line(f"Not rendered ({number})", "alarm" if any(one.failed for one in view.missing) else "warn")
    for one in view.missing:
        ids, more = shorten_names(one.ids, MOST_MISSING)
        for index, id_ in enumerate(ids):
            mark = Span("    ") if index else Span("  ✗ ", "alarm") if one.failed else Span("  ○ ", "warn")
            yield (mark, Span(visible(id_), "strong"))
        if more:
            yield _line(f"    and {more} more; all of them with --format json", "warn")
        for line in visible_lines(one.reason.strip()):
            yield (Span(f"      {line}"),)


_SEVERITIES: dict[Severity, tuple[str, Style]] = {
    "error": ("✗", "alarm"),
    "warning": ("!", "warn"),
    "info": ("i", "strong"),
}


def _risks(view: View) -> Iterator[Line]:
    """What a reviewer must not miss, each with its stable id; what is silenced stays in sight, with the reason."""
    if not view.risks:
        return
    worst = view.risks[0]
    yield ()
    yield _line("Signals", "dim" if worst.silenced is not None else _SEVERITIES[worst.severity][1])
    for risk in view.risks:
        mark, style = _SEVERITIES[risk.severity]
        names, more = shorten_names(risk.objects, 3)
        what = f"{_joined(names, more)}: " if names else ""
        when = f", when {visible(risk.reaches)} moves" if risk.reaches else ""
        message = f"{what}{visible(risk.message)}"
        place = f"  {_where(risk.targets)}{when}" if risk.targets else ""
        if risk.silenced is None:
            yield (Span(f"  {mark} ", style), Span(f"{risk.id}  ", "strong"), Span(message), Span(place, "dim"))
        else:
            yield (Span(f"  - {risk.id}  {message}{place}  silenced: {visible(risk.silenced)}", "dim"),)


def _losses(view: View) -> Iterator[Line]:
    """Removals that take other things along."""
    lost = losses(view)
    if not lost:
        return
    yield ()
    yield _line(LOSSES, "alarm")
    for what, consequence in lost:
        yield (Span("  ! ", "alarm"), Span(visible(what), "strong"), Span(visible(f"  {consequence}"), "alarm"))


def _images(images: Sequence[ImageRow]) -> Iterator[Line]:
    """The table of images that move."""
    if not images:
        return
    yield ()
    yield _line("Images", "strong")
    rows = [[visible(text) for text in (row.image, *image_sides(row))] for row in images]
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    for (image, before, after), row in zip(rows, images, strict=True):
        yield (
            Span(f"  {_pad(image, widths[0])}  "),
            Span(_pad(before, widths[1]), "remove"),
            Span(" → ", "dim"),
            Span(_pad(after, widths[2]), "add"),
            Span(f"  {_where(row.targets)}", "dim"),
        )


def _section(section: Section, most_lines: int) -> Iterator[Line]:
    """What happens at once, or what arrives later under a heading of its own."""
    if section.reaches:
        yield ()
        yield (
            Span("Later, when ", "strong"),
            Span(visible(section.reaches), "change"),
            Span(f" moves: {section.phrase}", "strong"),
        )
        yield from _images(section.images)
    for block in section.blocks:
        yield ()
        yield _heading(block)
        names, more = shorten_names(objects(block))
        if names:
            yield _line(f"    {objects_word(block)}: {_joined(names, more)}", "dim")
        names, more = shorten_names(renames(block), 3)
        if names:
            yield _line(f"    renamed: {_joined(names, more)}", "dim")
        for remark in remarks(block):
            yield _line(f"    {remark}", "dim")
        shown = shorten_diff(block.diff, most_lines)
        for line in shown.lines:
            yield (Span("    "), Span(line, _LINES.get(line[:1], "")))
        if shown.remark:
            yield _line(f"    … {shown.remark}; all of it with --format json", "warn")


def _heading(block: Block) -> Line:
    """``~ Deployment churn-api (ns) · image, replicas  in churn-staging``."""
    style = _ACTIONS[block.action]
    spans = [Span(f"{SIGNS[block.action]} ", style), Span(visible(title(block)), "strong")]
    if block.hook:
        spans.append(Span(visible(f" [hook {block.hook}]"), "warn"))
    if block.action != "changed":
        spans.append(Span(f" {block.action}", "alarm" if block.action == "removed" else style))
    if block.summary:
        spans.append(Span(visible(f" · {', '.join(block.summary)}"), style))
    spans.append(Span(f"  {_where(block.targets)}", "dim"))
    return tuple(spans)


def _folded(heading: str, blocks: Sequence[Block]) -> Iterator[Line]:
    """One line for each folded change, with its fields."""
    if not blocks:
        return
    yield ()
    yield (Span(heading, "strong"), Span(f" ({sum(block.size for block in blocks)})", "dim"))
    for block in blocks:
        paths, more = shorten_names([field.path for field in block.folded], 3)
        what = _joined(paths, more) if paths else "; ".join(remarks(block))
        spans = [Span("  ~ ", "dim"), Span(visible(title(block)))]
        spans.append(Span(f" · {what}" if what else "", "dim"))
        spans.append(Span(" · its pods restart" if restarts(block) else "", "warn"))
        yield (*spans, Span(f"  {_where(block.targets)}", "dim"))


def _list(heading: str, style: Style, entries: Sequence[str]) -> Iterator[Line]:
    """A headed list."""
    if entries:
        yield ()
        yield _line(f"{heading} ({len(entries)})", style or "strong")
        for entry in entries:
            for index, line in enumerate(visible_lines(entry.strip())):
                yield (Span(f"{'    ' if index else '  '}{line}"),)


def _foot(view: View) -> Iterator[Line]:
    """Notes and tool versions."""
    tools = ", ".join(f"{name} {version}" for name, version in view.tools)
    if view.notes or tools:
        yield ()
    for note in view.notes:
        yield _line(note, "dim")
    if tools:
        yield _line(f"rendered by {tools}", "dim")


def _where(targets: Sequence[str]) -> str:
    """``in churn-staging``, ``in 12 apps: a, b and 10 more``."""
    if len(targets) == 1:
        return f"in {visible(targets[0])}"
    return f"in {apps(len(targets))}: {_joined(*shorten_names(targets))}"


def _joined(names: Sequence[str], more: int) -> str:
    """Join names, counting the rest."""
    return ", ".join(map(visible, names)) + (f" and {more} more" if more else "")


def _width(text: str) -> int:
    """Columns a text takes."""
    return sum(
        2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text if not unicodedata.combining(sign)
    )


def _pad(text: str, width: int) -> str:
    """Fill up with spaces to a number of columns."""
    return text + " " * (width - _width(text))
