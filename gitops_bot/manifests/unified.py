"""The unified diff of two objects, made from their trees: it costs what their text costs, however large they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from gitops_bot.manifests import yaml
from gitops_bot.manifests.fields import is_folded, same
from gitops_bot.manifests.lists import ABSENT, Alignment, align

CONTEXT = 3
"""Lines of context around a change."""
_SMALL = 1_000_000
"""Pairs of lines up to which difflib (quadratic at worst) compares two texts."""

TextDiff = Callable[[str, str], str]
"""Takes two texts, returns their unified diff; for texts too large for difflib."""

Lines = list[tuple[str, str]]
"""Each line with its mark: both sides (space), base only (``-``), head only (``+``)."""


class _Style(NamedTuple):
    """What the walk needs everywhere."""

    built_in: bool
    text_diff: TextDiff | None


def diff(before: Any, after: Any, *, built_in: bool, text_diff: TextDiff | None = None) -> str:
    """The unified diff with three lines of context and without file headers; ``""`` where nothing differs.

    Takes masked objects, ABSENT for a side that has none. Folded fields that differ are left out, list items stand
    beside their counterpart, in the head's order. Line numbers count the lines of the objects as ``yaml.dump`` shows
    them.
    """
    return hunks(lines(before, after, built_in=built_in, text_diff=text_diff))


def lines(before: Any, after: Any, *, built_in: bool, text_diff: TextDiff | None = None) -> Lines:
    """Every line of both objects, marked by the side it is on."""
    out: Lines = []
    if before is ABSENT or after is ABSENT:
        mark, body = ("+", after) if before is ABSENT else ("-", before)
        return [(mark, line) for line in yaml.dump_lines(body)]
    _mapping(before, after, (), 0, _Style(built_in, text_diff), out)
    return out


def _mapping(
    before: dict[str, Any], after: dict[str, Any], keys: tuple[str, ...], indent: int, style: _Style, out: Lines
) -> None:
    for key in sorted({*before, *after}):
        place = (*keys, key)
        old, new = before.get(key, ABSENT), after.get(key, ABSENT)
        if new is ABSENT or old is ABSENT:
            if not is_folded(place, old, new):
                mark, value = ("+", new) if old is ABSENT else ("-", old)
                out += [(mark, line) for line in yaml.entry_lines(key, value, indent)]
        elif same(old, new):
            out += [(" ", line) for line in yaml.entry_lines(key, old, indent)]
        elif not is_folded(place, old, new):
            _entry(key, old, new, place, indent, style, out)


def _entry(key: str, old: Any, new: Any, keys: tuple[str, ...], indent: int, style: _Style, out: Lines) -> None:
    """A key whose values differ."""
    if isinstance(old, dict) and isinstance(new, dict) and old and new:
        out.append((" ", f"{' ' * indent}{yaml.dump_key(key)}:"))
        _mapping(old, new, keys, indent + 2, style, out)
    elif isinstance(old, list) and isinstance(new, list) and old and new:
        out.append((" ", f"{' ' * indent}{yaml.dump_key(key)}:"))
        _list(old, new, keys, indent, style, out)
    else:
        left, right = yaml.entry_lines(key, old, indent), yaml.entry_lines(key, new, indent)
        if isinstance(old, str) and isinstance(new, str) and len(left) > 1 and len(right) > 1:
            out += diff_lines(left, right, style.text_diff)
        else:
            out += [("-", line) for line in left] + [("+", line) for line in right]


def _list(old: list[Any], new: list[Any], keys: tuple[str, ...], indent: int, style: _Style, out: Lines) -> None:
    aligned = align(old, new, keys[-1], built_in=style.built_in)
    for one, other in _moved(aligned) if aligned.order else ((pair.before, pair.after) for pair in aligned.pairs):
        if one is ABSENT or other is ABSENT:
            item: list[str] = []
            yaml.item_lines(other if one is ABSENT else one, indent, item)
            out += [("+" if one is ABSENT else "-", line) for line in item]
        elif isinstance(one, dict) and isinstance(other, dict) and one and other:
            inner: Lines = []
            _mapping(one, other, (*keys, "[]"), indent + 2, style, inner)
            out += _with_dash(inner, indent)
        else:
            left: list[str] = []
            right: list[str] = []
            yaml.item_lines(one, indent, left)
            yaml.item_lines(other, indent, right)
            out += (
                [(" ", line) for line in left]
                if left == right
                else [("-", line) for line in left] + [("+", line) for line in right]
            )


def _moved(aligned: Alignment) -> Iterator[tuple[Any, Any]]:
    """Pairs of a list whose order differs: an item that moved is removed where it was and added where it is."""
    assert aligned.order is not None
    by_label = {pair.label: pair for pair in aligned.pairs}
    left, right = ([f"[name={name}]" for name in side] for side in aligned.order)
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from ((by_label[label].before, by_label[label].after) for label in right[j1:j2])
        else:
            yield from ((by_label[label].before, ABSENT) for label in left[i1:i2])
            yield from ((ABSENT, by_label[label].after) for label in right[j1:j2])


def _with_dash(inner: Lines, indent: int) -> Lines:
    """An item's lines with its dash before the first line of either side."""
    out: Lines = []
    pending = {"-": True, "+": True}
    for mark, line in inner:
        dashed = f"{line[:indent]}- {line[indent + 2 :]}"
        if mark != " ":
            out.append((mark, dashed if pending[mark] else line))
            pending[mark] = False
            continue
        if pending["-"] == pending["+"]:
            out.append((" ", dashed if pending["-"] else line))
        else:
            out += [("-", dashed if pending["-"] else line), ("+", dashed if pending["+"] else line)]
        pending = {"-": False, "+": False}
    return out


# -- texts --------------------------------------------------------------------------------------------------------


def diff_lines(before: Sequence[str], after: Sequence[str], text_diff: TextDiff | None = None) -> Lines:
    """Two texts, line by line: difflib where they are small, ``text_diff`` where they are large.

    Without ``text_diff``, what is too large for difflib is shown as removed and added between its equal ends.
    """
    head = 0
    while head < min(len(before), len(after)) and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    left, right = before[head : len(before) - tail], after[head : len(after) - tail]
    if len(left) * len(right) <= _SMALL:
        middle: Lines | None = _by_difflib(left, right)
    else:
        middle = _by_function(left, right, text_diff) if text_diff else None
    if middle is None:
        middle = [("-", line) for line in left] + [("+", line) for line in right]
    ends = before[len(before) - tail :] if tail else ()
    return [*((" ", line) for line in before[:head]), *middle, *((" ", line) for line in ends)]


def _by_difflib(left: Sequence[str], right: Sequence[str]) -> Lines:
    out: Lines = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "equal":
            out += [(" ", line) for line in left[i1:i2]]
        else:
            out += [("-", line) for line in left[i1:i2]] + [("+", line) for line in right[j1:j2]]
    return out


_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@")


def _by_function(left: Sequence[str], right: Sequence[str], text_diff: TextDiff) -> Lines | None:
    """The lines as a unified diff tells them; None when it does not tell how one text becomes the other."""
    given = text_diff("".join(f"{line}\n" for line in left), "".join(f"{line}\n" for line in right)).split("\n")
    out: Lines = []
    at = 0
    inside = False
    for line in given:
        match = _HUNK.match(line)
        if match:
            start = int(match[1]) - (1 if match[2] != "0" else 0)
            out += [(" ", each) for each in left[at:start]]
            at, inside = start, True
        elif inside and line[:1] in (" ", "-", "+"):
            out.append((line[0], line[1:]))
            at += line[0] != "+"
    out += [(" ", each) for each in left[at:]]
    told = [line for mark, line in out if mark != "+"], [line for mark, line in out if mark != "-"]
    return out if told == (list(left), list(right)) else None


# -- hunks --------------------------------------------------------------------------------------------------------


def hunks(marked: Lines) -> str:
    """Marked lines as unified hunks with context; ``""`` where no line is marked."""
    changed = [index for index, (mark, _) in enumerate(marked) if mark != " "]
    out: list[str] = []
    numbers = _numbers(marked)
    at = 0
    while at < len(changed):
        last = at
        while last + 1 < len(changed) and changed[last + 1] - changed[last] <= 2 * CONTEXT + 1:
            last += 1
        start, end = max(0, changed[at] - CONTEXT), min(len(marked), changed[last] + CONTEXT + 1)
        old, new = numbers[start]
        old_count, new_count = numbers[end][0] - old, numbers[end][1] - new
        out.append(f"@@ -{_range(old, old_count)} +{_range(new, new_count)} @@")
        out += [mark + line for mark, line in marked[start:end]]
        at = last + 1
    return "".join(f"{line}\n" for line in out)


def _numbers(marked: Lines) -> list[tuple[int, int]]:
    """For each index how many lines of the base and of the head come before it."""
    old = new = 0
    numbers = [(0, 0)]
    for mark, _ in marked:
        old += mark != "+"
        new += mark != "-"
        numbers.append((old, new))
    return numbers


def _range(before: int, count: int) -> str:
    if count == 0:
        return f"{before},0"
    return f"{before + 1}" if count == 1 else f"{before + 1},{count}"
