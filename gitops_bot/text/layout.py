"""The terminal's text as styled lines: one layout for colour and for pipes. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from gitops_bot.text.escape import visible
from gitops_bot.text.shorten import MOST_LINES, shorten_diff, shorten_names
from gitops_bot.text.view import Block, Section, View
from gitops_bot.text.wording import SIGNS, apps, image_sides, objects, objects_word, remarks, title

Style = Literal["", "strong", "dim", "add", "change", "remove", "alarm", "warn", "good", "hunk"]
"""What a piece of text means; the terminal gives it a colour."""

_VERDICTS: dict[str, Style] = {"none": "good", "changes": "strong", "removals": "strong", "failed": "strong"}
_ACTIONS: dict[str, Style] = {"added": "add", "changed": "change", "removed": "remove"}
_LINES: dict[str, Style] = {"+": "add", "-": "remove", "@": "hunk"}


class Span(NamedTuple):
    """A piece of a line, free of control characters."""

    text: str
    style: Style = ""


Line = tuple[Span, ...]


def lay_out(view: View, *, most_lines: int = MOST_LINES) -> Iterator[Line]:
    """Yield the lines of the terminal's text; ``most_lines`` limits the diff of one resource."""
    yield from _head(view)
    yield from _not_rendered(view)
    yield from _losses(view)
    yield from _images(view)
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
    yield (Span("  coverage  ", "dim"), Span(visible(view.coverage), "alarm" if view.verdict == "failed" else ""))


def _headline(view: View) -> Line:
    """The headline; counts take the colour of their action."""
    words = {"add": "add", "change": "change", "remove": "remove"}
    parts = view.headline.split(", ")
    if not view.sections or len(parts) != len(words):
        return (Span(visible(view.headline), "good" if view.verdict == "none" else "strong"),)
    spans: list[Span] = []
    for part in parts:
        number, _, word = part.partition(" to ")
        style: Style = "dim" if number == "0" or word not in words else _COUNTED[word]
        spans += [Span(", ", "dim")] if spans else []
        spans.append(Span(visible(part), style))
    return tuple(spans)


_COUNTED: dict[str, Style] = {"add": "add", "change": "change", "remove": "alarm"}


def _not_rendered(view: View) -> Iterator[Line]:
    """What could not be rendered and why: never buried, failures first."""
    if not view.not_rendered:
        return
    yield ()
    yield _line(f"Not rendered ({len(view.not_rendered)})", "alarm" if view.verdict == "failed" else "warn")
    for entry in view.not_rendered:
        mark = Span("  ✗ ", "alarm") if entry.failed else Span("  ○ ", "warn")
        yield (mark, Span(visible(entry.id), "strong"))
        yield _line(f"    {entry.reason}")


def _losses(view: View) -> Iterator[Line]:
    """Removals that take other things along."""
    blocks = [block for section in view.sections for block in section.blocks if block.consequence]
    if not blocks:
        return
    yield ()
    yield _line("Removed with more than itself", "alarm")
    for block in blocks:
        for member in block.members:
            where = f" ({member.namespace})" if member.namespace else ""
            yield (
                Span("  ! ", "alarm"),
                Span(visible(f"{block.kind} {member.name}{where}"), "strong"),
                Span(visible(f"  {block.consequence}"), "alarm"),
            )


def _images(view: View) -> Iterator[Line]:
    """The table of images that move."""
    if not view.images:
        return
    yield ()
    yield _line("Images", "strong")
    rows = [(visible(row.image), *map(visible, image_sides(row)), row.targets) for row in view.images]
    widths = [max(_width(row[column]) for row in rows) for column in range(3)]
    for image, before, after, targets in rows:
        yield (
            Span(f"  {_pad(image, widths[0])}  "),
            Span(_pad(before, widths[1]), "remove"),
            Span(" → ", "dim"),
            Span(_pad(after, widths[2]), "add"),
            Span(f"  {_where(targets)}", "dim"),
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
    for block in section.blocks:
        yield ()
        yield _heading(block)
        names, more = shorten_names(objects(block))
        if names:
            yield _line(f"    {objects_word(block)}: {_joined(names, more)}", "dim")
        for member in block.members:
            if member.renamed_from:
                yield (Span("    renamed from ", "dim"), Span(visible(f"{member.renamed_from} to {member.name}")))
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
        yield (*spans, Span(f"  {_where(block.targets)}", "dim"))


def _list(heading: str, style: Style, entries: Sequence[str]) -> Iterator[Line]:
    """A headed list."""
    if entries:
        yield ()
        yield _line(f"{heading} ({len(entries)})", style or "strong")
        for entry in entries:
            yield _line(f"  {entry}")


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
