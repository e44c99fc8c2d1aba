"""Fitting a comment into what GitHub takes: the richest rung of the ladder that fits, then as much more as fits.

GitHub's limit is 65,536 characters and does not say which; UTF-16 code units are counted here, of which there are never
fewer than characters, so both readings are kept. Every piece is whole in itself: what is left out is left out between
pieces, never inside a fence, a tag, a row or a character.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec

from gitops_bot.text.detail import LADDER, Detail, squeezed
from gitops_bot.text.pieces import Piece, Pieces
from gitops_bot.text.templating import Templates
from gitops_bot.text.view import View
from gitops_bot.text.weigh import Weighed, by_weight, weigh

BUDGET = 65_000
"""What a comment may take of GitHub's 65,536."""
LEAST = 1_000
"""The smallest budget beside the marker and ``elsewhere``."""

ELSEWHERE = "`gitops-bot diff --format json`"
_MISSES = 30
"""After so many changes in a row that do not fit, no smaller one is looked for."""
_CRUMBS = 150
"""Room in which no further change fits."""
_SQUEEZES = 8
"""How often a rung's lists are halved before the next rung is tried."""
_FEWEST_APPS = 5
"""A table of apps with fewer rows is given up for counts."""
_SECTION = 64
"""Characters for the end of a section: a blank line, how many more changes there are."""
_FRAME = 0.6
"""How much of the budget everything but the changes may take where changes are filled in."""
_FRAMING = ("header", "alerts", "images", "apps", "folded", "notice", "footer")
"""Templates of everything but the changes."""

Measure = Callable[[str], int]


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    """A text that fits."""

    text: str
    """The marker's line where one was given, then the content; ends in a line feed."""
    level: int
    """The rung of the ladder: 0 everything, 1 shorter diffs, 2 one line for many, 3 a table of apps, 4 counts."""
    shown: int
    """Distinct changes that are shown, in whatever form."""
    of: int
    """Distinct changes that there are."""
    digest: str
    """SHA-256 over the content without the lines that name commits, ``elsewhere`` and the marker, as lowercase hex."""


class _Body(msgspec.Struct, frozen=True, kw_only=True):
    """A laid-out text, and the same without what changes from commit to commit."""

    text: str
    lasting: str
    level: int
    shown: int


def utf16(text: str) -> int:
    """UTF-16 code units of a text: at least its characters."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def fit_comment(
    view: View,
    *,
    budget: int = BUDGET,
    marker: str = "",
    elsewhere: str = "",
    templates: Mapping[str, str] = MappingProxyType({}),
) -> Fitted:
    """Make the comment; never longer than ``budget`` UTF-16 code units, marker included.

    ``marker`` becomes the first line; ``elsewhere`` is our own Markdown that says where the rest is (one line);
    ``templates`` are the user's, by file name. May be called again with a smaller budget.

    Raises ValueError for a budget that leaves less than ``LEAST`` beside marker and ``elsewhere``, UsageError when a
    user's template fails.
    """
    return fit(view, budget=budget, measure=utf16, marker=marker, elsewhere=elsewhere, templates=templates)


def fit(
    view: View,
    *,
    budget: int,
    measure: Measure,
    marker: str = "",
    elsewhere: str = "",
    templates: Mapping[str, str] = MappingProxyType({}),
    ladder: Sequence[Detail] = LADDER,
) -> Fitted:
    """Fit a view into a budget as ``measure`` counts; the measure of a text is the sum over its parts."""
    first = f"{marker}\n" if marker else ""
    elsewhere = elsewhere or ELSEWHERE
    room = budget - measure(first)
    if room - measure(elsewhere) < LEAST:
        raise ValueError(f"a budget of {budget} is too small")
    filler = Templates(templates)
    found = weigh(view)
    while True:
        notes = filler.notes
        body = _Fit(view, filler, found, elsewhere, room, measure).best(ladder)
        if filler.notes == notes:
            break
        # a template was set aside on the way: begin again, so that its note stands in the footer
    return Fitted(
        text=first + body.text,
        level=body.level,
        shown=body.shown,
        of=len(found),
        digest=hashlib.sha256(body.lasting.encode("utf-8", "surrogatepass")).hexdigest(),
    )


class _Frame(msgspec.Struct, frozen=True):
    """Everything but the changes."""

    header: str
    lasting: str
    """The header without the lines that name commits."""
    alerts: str
    overview: str
    """Tables of apps and images."""
    after: str
    """Folded changes and the footer."""


class _Fit:
    """One attempt with one set of templates."""

    def __init__(
        self, view: View, templates: Templates, found: tuple[Weighed, ...], elsewhere: str, room: int, measure: Measure
    ) -> None:
        self._view, self._templates, self._found = view, templates, found
        self._pieces = Pieces(view, templates)
        self._elsewhere, self._room, self._measure = elsewhere, room, measure
        self._notice = measure(self._pieces.longest_notice(len(found), elsewhere))
        self._ordered: list[Weighed] | None = None

    def best(self, ladder: Sequence[Detail]) -> _Body:
        """The richest text that fits."""
        for rung in ladder[:3]:
            if body := self._whole(rung):
                return body
        for rung in ladder[3:]:
            detail = rung
            for _ in range(_SQUEEZES):
                if body := self._filled(detail):
                    return body
                detail = squeezed(detail)
        self._templates.set_aside("what it writes takes too much room", _FRAMING)
        return self._bare(ladder[-1].level)

    def _whole(self, detail: Detail) -> _Body | None:
        """Every change as this rung tells it, the weightiest ones richer where room is left; None if it cannot be."""
        frame, left = self._framed(detail)
        heads: dict[int, str] = {}
        chosen: dict[int, Piece] = {}
        for one in self._found:
            if left < 0:
                return None
            left -= self._open(one, detail, heads)
            line = detail.one_liners and not one.pressing and not one.single
            piece = self._pieces.line(one) if line else self._pieces.block(one, detail, left)
            if piece is None:
                return None
            chosen[one.place] = piece
            left -= self._measure(piece.text)
        if left < 0:
            return None
        if detail.level:
            self._enrich(chosen, left)
        return self._assembled(detail.level, frame, heads, chosen)

    def _filled(self, detail: Detail) -> _Body | None:
        """The table of apps and as many changes as fit, the weightiest first; only counts on the last rung."""
        frame, left = self._framed(detail)
        if left < 0 or (detail.names and (left < (1 - _FRAME) * self._room or detail.apps < _FEWEST_APPS)):
            return None
        heads: dict[int, str] = {}
        chosen: dict[int, Piece] = {}
        misses = 0
        for one in self._by_weight() if detail.names else ():
            if left < _CRUMBS or misses > _MISSES:
                break
            opened = dict(heads)
            cost = self._open(one, detail, opened)
            piece = self._pieces.block(one, detail, left - cost) if one.pressing else None
            if piece is None or self._measure(piece.text) + cost > left:
                piece = self._pieces.line(one)
            cost += self._measure(piece.text)
            if cost > left:
                misses += 1
                continue
            misses, left, heads = 0, left - cost, opened
            chosen[one.place] = piece
        self._enrich(chosen, left)
        return self._assembled(detail.level, frame, heads, chosen)

    def _enrich(self, chosen: dict[int, Piece], left: int) -> None:
        """Spend the room that is left on the changes that matter most."""
        for share in (0.5, 1.0):  # first nobody takes it all, then who comes first may
            misses = 0
            for one in self._by_weight():
                if left < _CRUMBS or misses > _MISSES:
                    break
                now = chosen.get(one.place)
                if now is None or now.form == "whole":
                    continue
                misses += 1
                cost = self._measure(now.text)
                for better in self._pieces.richer(one, left + cost, share):
                    spent = self._measure(better.text) - cost
                    if 0 < spent <= left:
                        chosen[one.place] = better
                        misses, left = 0, left - spent
                        break

    def _framed(self, detail: Detail) -> tuple[_Frame, int]:
        """Everything but the changes, and the room that it leaves for them."""
        pieces = self._pieces
        frame = _Frame(
            header=pieces.header(detail),
            lasting=pieces.header(detail, commits=False),
            alerts=pieces.alerts(detail),
            overview=pieces.apps(detail) + pieces.images(self._view.images, detail),
            after=pieces.folded(detail) + pieces.footer(detail),
        )
        taken = sum(map(self._measure, (frame.header, frame.alerts, frame.overview, frame.after)))
        return frame, self._room - self._notice - taken

    def _open(self, one: Weighed, detail: Detail, heads: dict[int, str]) -> int:
        """Put the head of a change's section where it is not yet; says what that costs."""
        if one.section in heads:
            return 0
        heads[one.section] = self._pieces.section(self._view.sections[one.section], detail)
        return self._measure(heads[one.section]) + _SECTION

    def _by_weight(self) -> list[Weighed]:
        if self._ordered is None:
            self._ordered = by_weight(self._found)
        return self._ordered

    def _assembled(self, level: int, frame: _Frame, heads: Mapping[int, str], chosen: Mapping[int, Piece]) -> _Body:
        """Put everything together, in reading order."""
        forms = [chosen[index].form for index in sorted(chosen)]
        changes = "".join(self._changes(heads, chosen))
        after = f"{frame.overview}{changes}{frame.after}"
        notice = self._pieces.notice(forms, len(self._found), self._elsewhere)
        lasting = self._pieces.notice(forms, len(self._found), "")
        return _Body(
            text=f"{frame.header}{frame.alerts}{notice}{after}",
            lasting=f"{frame.lasting}{frame.alerts}{lasting}{after}",
            level=level,
            shown=len(chosen),
        )

    def _changes(self, heads: Mapping[int, str], chosen: Mapping[int, Piece]) -> Iterator[str]:
        """Each section: its head, its diffs, then its one-liners as one list, and how many more there are."""
        places: dict[int, list[int]] = {}
        for one in self._found:
            places.setdefault(one.section, []).append(one.place)
        for section in sorted(heads):
            yield heads[section]
            indices = places[section]
            pieces = [chosen[index] for index in indices if index in chosen]
            yield from (piece.text for piece in pieces if piece.form != "line")
            if lines := [piece.text for piece in pieces if piece.form == "line"]:
                yield from (*lines, "\n")
            if more := len(indices) - len(pieces):
                yield f"… and {more} more {'change' if more == 1 else 'changes'}\n\n"

    def _bare(self, level: int) -> _Body:
        """The counts and where the rest is: what is left when even short lists do not fit."""
        for headline in (self._pieces.bare_headline(), ""):
            head = f"### {headline}\n\n" if headline else ""
            counted = f"**0 of {len(self._found)} changes shown**; all of it: "
            text = f"{head}{counted}{self._elsewhere}\n"
            if self._measure(text) <= self._room:
                return _Body(text=text, lasting=head + counted, level=level, shown=0)
        raise AssertionError("the smallest budget was checked before")
