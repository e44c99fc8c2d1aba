"""From a report to the runner's annotations: what failed, and the signals that somebody has to look at. Pure.

The runner shows 10 errors and 10 warnings of a step and drops the rest without a word; it cuts a message at 4,096
UTF-16 units. What does not fit is counted in the last annotation of its kind.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Literal

import msgspec

from gitops_bot.actions.commands import Console
from gitops_bot.model.report import Raised, Report, TargetReport
from gitops_bot.model.signal import CATALOGUE
from gitops_bot.text.escape import visible, visible_lines

MOST = 10
"""Annotations of one kind in a step."""
LONGEST_MESSAGE = 4096
"""UTF-16 units."""
LONGEST_TITLE = 255
"""UTF-16 units."""
_NAMED = 10
"""Targets that are named in one message."""


class Annotation(msgspec.Struct, frozen=True, kw_only=True):
    """One remark, at a file where there is one."""

    level: Literal["error", "warning"]
    title: str
    message: str
    """May have several lines and foreign text."""
    file: str = ""
    """Relative to the repository's root, wherever that is checked out; ``""`` for none."""


def annotate(report: Report, *, errors: int = MOST - 1, warnings: int = MOST) -> tuple[Annotation, ...]:
    """At most so many annotations of each kind: failures first, then signals in the report's order.

    One error is left to the step itself, which says why it fails. Silenced signals and those of severity info have
    none. 0 leaves a kind out.
    """
    targets = {target.id: target for target in report.targets}
    found = [*_failures(report, targets)]
    found += [
        _signal(raised, targets)
        for raised in report.signals
        if raised.silenced is None and raised.signal.severity != "info"
    ]
    return (
        *_limited([each for each in found if each.level == "error"], errors),
        *_limited([each for each in found if each.level == "warning"], warnings),
    )


def show(console: Console, found: Sequence[Annotation]) -> None:
    """Write annotations to the step's log."""
    for each in found:
        write = console.error if each.level == "error" else console.warning
        write(each.message, title=each.title, file=each.file)


def shorten(text: str, units: int) -> str:
    """The beginning of a text in at most so many UTF-16 units, with ``…`` where something is cut.

    It ends between characters as people see them: signs that combine with the one before them go with it.
    """
    if _units(text) <= units:
        return text
    room, at = units - 1, 0
    while room >= _units(text[at]):
        room -= _units(text[at])
        at += 1
    while at and (_combines(text[at]) or text[at - 1] == "\u200d"):
        at -= 1
    return text[:at] + "…"


def _failures(report: Report, targets: dict[str, TargetReport]) -> list[Annotation]:
    found = []
    for entry in report.not_rendered:
        if entry.failed:
            known = targets.get(entry.id)
            file = known.file if known else entry.id.partition("#")[0]
            title = f"{known.name if known else entry.id} could not be rendered"
            found.append(_annotation("error", title, entry.reason, file))
    return found


def _signal(raised: Raised, targets: dict[str, TargetReport]) -> Annotation:
    signal = raised.signal
    meaning = CATALOGUE.get(signal.id)
    title = meaning.title if meaning else signal.id
    what = f"{signal.kind} {signal.name}".strip()
    place = f"{what} ({signal.namespace})" if what and signal.namespace else what
    known = [targets[identity] for identity in raised.targets if identity in targets]
    # The advice is what may be cut: it stands in the comment as well.
    lines = [
        f"{place}: {signal.message}" if place and what not in signal.message else signal.message,
        f"in {_list([target.name for target in known])}" if known else "",
        meaning.explanation if meaning else "",
    ]
    message = "\n".join(line for line in lines if line)
    level: Literal["error", "warning"] = "error" if signal.severity == "error" else "warning"
    return _annotation(level, f"{title} [{signal.id}]", message, next((one.file for one in known), ""))


def _list(all_names: Sequence[str]) -> str:
    found = list(dict.fromkeys(all_names))
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more


def _annotation(level: Literal["error", "warning"], title: str, message: str, file: str) -> Annotation:
    return Annotation(
        level=level,
        title=shorten(visible(title), LONGEST_TITLE),
        message=shorten("\n".join(visible_lines(message.strip() or title)), LONGEST_MESSAGE),
        file=file if _is_inside(file) else "",
    )


def _is_inside(file: str) -> bool:
    """Whether a path can be one of the repository's files; what it names may be foreign."""
    return bool(file) and not file.startswith("/") and ".." not in file.split("/") and file.isprintable()


def _limited(found: list[Annotation], most: int) -> list[Annotation]:
    """The first of them; the last one that is shown says how many are not."""
    if len(found) <= most or not most:
        return found[:most]
    last, more = found[most - 1], len(found) - most
    word = f"{last.level}{'s' * (more > 1)}"
    rest = f"\nand {more} more {word}: see the step summary"
    message = shorten(last.message, LONGEST_MESSAGE - len(rest)) + rest
    return [*found[: most - 1], msgspec.structs.replace(last, message=message)]


def _units(text: str) -> int:
    """Length as the runner counts it."""
    return len(text) + sum(1 for sign in text if sign > "\uffff")


def _combines(sign: str) -> bool:
    """Whether a character belongs to the one before it: accents, joiners, variants, skin tones."""
    return unicodedata.category(sign) in ("Mn", "Mc", "Me") or sign == "\u200d" or "\U0001f3fb" <= sign <= "\U0001f3ff"
