"""The whole report as one HTML file that needs nothing else: no scripts, no fonts, no requests.

It is what a comment that had to be cut points to, so it holds far more; and where even it stops, it says so.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import itertools
from collections.abc import Iterator, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

from gitops_bot.text.escape import visible, visible_lines
from gitops_bot.text.pieces import verdict_icon
from gitops_bot.text.shorten import GAP, clip, fitting_diff, shorten_diff
from gitops_bot.text.templating import where
from gitops_bot.text.view import Block, Missing, Risk, View
from gitops_bot.text.weigh import Weighed, weigh
from gitops_bot.text.wording import SIGNS, apps, objects, objects_word, remarks, renames, restarts, title

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_DIFF = 40_000_000
"""Characters of all diffs together; further ones show their first lines."""
_MOST_LINES = 200
"""Lines of a diff for which there is no room."""
_MOST_NAME = 500
_MOST_TEXT = 20_000
_LINKS = 100
"""Changes that the table of contents names for one app."""
_OPEN = 20
"""Up to so many distinct changes are shown opened."""


class _Contents(NamedTuple):
    """One app in the table of contents."""

    app: str
    number: int
    links: list[tuple[int, str]]


def html_report(view: View) -> bytes:
    """Make the report as UTF-8; its size grows with the diffs up to ``MOST_DIFF`` and then only with their number."""
    found = weigh(view)
    style = _style()
    parts = _environment().get_template("report.html.j2").generate(
        view=view,
        icon=verdict_icon(view),
        style=style,
        style_hash=f"sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}",
        missing=_missing(view.missing),
        risks=_risks(view.risks, ""),
        contents=_contents(found),
        sections=_sections(view, found),
        folded=[entry for entry in map(_folded, _FOLDED, (view.noise, view.ignored)) if entry],
    )  # fmt: skip
    out = bytearray()
    for part in parts:
        out += part.encode("utf-8", "replace")
    return bytes(out)


_FOLDED = ("only chart labels and checksums differ", "hidden by ignoreDifferences")


def _missing(missing: Sequence[Missing]) -> list[tuple[str, str, list[Missing]]]:
    """Failures, then what could not be rendered by its nature."""
    found = []
    for failed, style, words in ((True, "error", "not rendered: changes are missing"), (False, "", "not rendered")):
        entries = [one for one in missing if one.failed is failed]
        if entries:
            found.append((f"{sum(len(one.ids) for one in entries)} {words}", style, entries))
    return found


def _risks(risks: Sequence[Risk], reaches: str) -> list[dict[str, Any]]:
    """A box for each severity and one for what is silenced, of what is raised at once or with one revision."""
    risks = [risk for risk in risks if risk.reaches == reaches]
    loud = [risk for risk in risks if risk.silenced is None]
    boxes = [("error", "🛑 {} errors", [risk for risk in loud if risk.severity == "error"])]
    boxes.append(("warning", "⚠️ {} warnings", [risk for risk in loud if risk.severity == "warning"]))
    boxes.append(("info", "💡 {} good to know", [risk for risk in loud if risk.severity == "info"]))
    boxes.append(("silenced", "🔕 {} silenced by the settings", [risk for risk in risks if risk.silenced is not None]))
    return [
        {"class": name, "heading": _one(heading, len(found)), "risks": found, "closed": name in ("info", "silenced")}
        for name, heading, found in boxes
        if found
    ]


def _one(heading: str, number: int) -> str:
    said = heading.format(number)
    return said.removesuffix("s") if number == 1 and not said.endswith("settings") else said


def _contents(found: Sequence[Weighed]) -> list[_Contents]:
    """Each app with its changes, in order of names."""
    by_app: dict[str, _Contents] = {}
    for one in found:
        for target in one.block.targets:
            entry = by_app.get(target, _Contents(target, 0, []))
            if entry.number < _LINKS:
                entry.links.append((one.place, title(one.block)))
            by_app[target] = entry._replace(number=entry.number + 1)
    return [by_app[app] for app in sorted(by_app)]


def _sections(view: View, found: Sequence[Weighed]) -> Iterator[dict[str, Any]]:
    """Each section with its changes, which are made one by one as the file grows."""
    budget = _Budget(MOST_DIFF)
    for number, ones in itertools.groupby(found, key=lambda one: one.section):
        section = view.sections[number]
        yield {
            "reaches": section.reaches,
            "phrase": section.phrase,
            "risks": _risks(view.risks, section.reaches) if section.reaches else [],
            "images": section.images,
            "changes": (_change(one, budget, opened=len(found) <= _OPEN) for one in ones),
        }


class _Budget:
    """How many characters of diffs may still be written."""

    def __init__(self, left: int) -> None:
        self.left = left


def _change(one: Weighed, budget: _Budget, *, opened: bool) -> dict[str, Any]:
    """One change as the template wants it; takes its diff's length from the budget."""
    block = one.block
    shown = fitting_diff(block.diff, None, width=_MOST_TEXT, room=budget.left)
    shown = shown or fitting_diff(block.diff, _MOST_LINES, width=_MOST_NAME, room=budget.left)
    shown = shown or shorten_diff(block.diff, 0)
    budget.left -= sum(map(len, shown.lines))
    return {
        "number": one.place,
        "open": opened and not one.later,
        "action": block.action,
        "sign": SIGNS[block.action],
        "title": title(block),
        "hook": block.hook,
        "summary": block.summary,
        "targets": block.targets,
        "risks": [risk for risk in one.risks if risk.severity != "info"],
        "remarks": _remarks(block),
        "runs": [(name, "\n".join(lines)) for name, lines in itertools.groupby(shown.lines, key=_class)],
        "left_out": shown.remark,
    }


def _class(line: str) -> str:
    """The class of a diff's line: added, removed, gap, context."""
    return {"+": "a", "-": "r", GAP: "g"}.get(line[:1], "c")


def _remarks(block: Block) -> list[str]:
    """What heading and diff do not say."""
    said = [f"{objects_word(block)}: {', '.join(objects(block))}"] if objects(block) else []
    said += [f"apps: {', '.join(block.targets)}"] if len(block.targets) > 1 else []
    said += [f"renamed: {', '.join(renames(block))}"] if renames(block) else []
    return [*said, *remarks(block)]


def _folded(heading: str, blocks: Sequence[Block]) -> tuple[str, list[dict[str, Any]]] | None:
    """Folded changes, counted."""
    if not blocks:
        return None
    size = sum(block.size for block in blocks)
    entries = [
        {
            "title": title(block),
            "what": ", ".join(field.path for field in block.folded) or "; ".join(remarks(block)),
            "restarts": restarts(block),
            "targets": block.targets,
        }
        for block in blocks
    ]
    return f"{size} {'resource' if size == 1 else 'resources'}: {heading}", entries


def _seen(text: object) -> str:
    """Make foreign text visible and keep it within bounds; the template escapes it."""
    return visible(clip(str(text), _MOST_TEXT))


def _text(text: str) -> str:
    """The same for a text of several lines."""
    return "\n".join(visible_lines(clip(text.strip(), _MOST_TEXT)))


@functools.cache
def _style() -> str:
    return (resources.files("gitops_bot.text") / "templates" / "report.css").read_text("utf-8")


@functools.cache
def _environment() -> Environment:
    """Our own template only, so no sandbox; everything is escaped for HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # loaded only for a report

    environment = Environment(
        loader=PackageLoader("gitops_bot.text"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(seen=_seen, text=_text, where=lambda targets: visible(where(targets)), apps=apps)
    return environment
