"""Version ranges as Helm and Argo CD read them (the rules of the Go library Masterminds/semver, version 3.4). Pure.

No Python library reads this syntax: partial versions mean ranges, commas and spaces both mean "and", and a pre-release
is only considered when the same alternative names one. The tests compare with Helm's own ``semverCompare``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple, Self

_LONGEST_VERSION = 256
_LONGEST_RANGE = 512
_MOST_ALTERNATIVES = 32

_SUFFIX = r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
_VERSION = re.compile(rf"v?(?P<major>\d+)(?:\.(?P<minor>\d+))?(?:\.(?P<patch>\d+))?{_SUFFIX}", re.ASCII)
_EXACT = re.compile(rf"v?\d+\.\d+\.\d+{_SUFFIX}", re.ASCII)
_PART = r"(?:\d+|[xX*])"
_PARTIAL = rf"v?(?P<major>{_PART})(?:\.(?P<minor>{_PART}))?(?:\.(?P<patch>{_PART}))?{_SUFFIX}"
_TERM = re.compile(rf"(?P<op>!=|>=|=>|<=|=<|~>|[=><~^]|)\s*{_PARTIAL}", re.ASCII)
_SEPARATOR = re.compile(r"\s*,\s*|\s+", re.ASCII)
_NAMELESS = re.sub(r"\?P<\w+>", "?:", _PARTIAL)
_HYPHEN = re.compile(rf"\s*({_NAMELESS})\s+-\s+({_NAMELESS})\s*", re.ASCII)


class Version(NamedTuple):
    """A semantic version, in the order of its fields; build metadata is not part of the order, so it is not kept."""

    core: tuple[int, int, int]
    """Major, minor, patch."""
    is_release: bool = True
    """False for a pre-release: it precedes its release."""
    pre: tuple[tuple[bool, int, str], ...] = ()
    """The identifiers of the pre-release, ``()`` for a release: (is a word, number, word), numbers before words."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``1.2.3-rc.1+build``, also with ``v`` before it and with missing parts as zero.

        Raises ValueError when the text is no version.
        """
        found = _VERSION.fullmatch(text) if len(text) <= _LONGEST_VERSION else None
        if found is None:
            raise ValueError(f"{text[:80]} is not a version")
        major, minor, patch = (int(found[name] or 0) for name in ("major", "minor", "patch"))
        return cls((major, minor, patch), not found["pre"], _identifiers(found["pre"]))


def _identifiers(pre: str | None) -> tuple[tuple[bool, int, str], ...]:
    words = pre.split(".") if pre else ()
    return tuple((False, int(word), "") if word.isdigit() else (True, 0, word) for word in words)


class _Term(NamedTuple):
    """One comparison: ``>= 1.2``."""

    op: str
    low: Version
    """The version written, missing parts as zero."""
    given: int
    """How many leading parts are numbers: 3 for ``1.2.3``, 2 for ``1.2.x`` and ``1.2``, 0 for ``*``."""

    def accepts(self, version: Version) -> bool:
        """Whether the version passes, pre-releases aside."""
        low, core = self.low, version.core
        match self.op:
            case "=":
                return self._within(version, 3 if self.given == 3 else max(1, self.given), tilde=self.given < 3)
            case "~":
                return self._within(version, 1 if self.given == 1 else 2, tilde=True)
            case "^":
                return version >= low and core[: self._caret()] == low.core[: self._caret()]
            case "!=":
                return self._differs(version)
            case ">":
                return core[: self.given] > low.core[: self.given] if self.given in (1, 2) else version > low
            case "<":
                return version < low
            case ">=":
                return version >= low
            case _:  # <=; "<= *" is read as "<= 0.0"
                return version <= low if self.given == 3 else core[: self.given or 2] <= low.core[: self.given or 2]

    def _within(self, version: Version, parts: int, *, tilde: bool) -> bool:
        """Not below, and equal in the first parts; ``~0.0.0`` and ``*`` accept everything, as in the original."""
        if not tilde:
            return version == self.low
        if self.low.core == (0, 0, 0) and self.given in (0, 3):
            return version >= self.low
        return version >= self.low and version.core[:parts] == self.low.core[:parts]

    def _caret(self) -> int:
        """How many leading parts ``^`` holds fixed: up to the first that is not zero, or the last one given."""
        if self.low.core[0] > 0 or self.given == 1:
            return 1
        return 2 if self.low.core[1] > 0 or self.given == 2 else 3

    def _differs(self, version: Version) -> bool:
        if self.given in (0, 3):
            return version != self.low
        if version.core[: self.given] != self.low.core[: self.given]:
            return True
        return self.given == 2 and version.pre != self.low.pre


_CANONICAL = {"": "=", "=>": ">=", "=<": "<=", "~>": "~"}


class Range(NamedTuple):
    """A version range: alternatives, each a list of comparisons that must all hold."""

    alternatives: tuple[tuple[_Term, ...], ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``^1.2``, ``1.x``, ``>=1 <2 || 3``, ``1.2 - 2``. Raises ValueError when the text is no range."""
        if len(text) > _LONGEST_RANGE or text.count("||") >= _MOST_ALTERNATIVES:
            raise ValueError("the version range is too long")
        parts = _HYPHEN.sub(r">= \1, <= \2 ", text).split("||")
        return cls(tuple(_terms(part.strip(), text) for part in parts))

    def accepts(self, version: Version) -> bool:
        """Whether the version lies in the range; pre-releases only where the alternative itself names one."""
        return any(
            (not version.pre or any(term.low.pre for term in terms)) and all(term.accepts(version) for term in terms)
            for terms in self.alternatives
        )


def _terms(part: str, whole: str) -> tuple[_Term, ...]:
    terms, at = [], 0
    while True:
        found = _TERM.match(part, at)
        if found is None:
            raise ValueError(f"{whole[:80]} is not a version range")
        terms.append(_term(found))
        if found.end() == len(part):
            return tuple(terms)
        gap = _SEPARATOR.match(part, found.end())
        if gap is None:
            raise ValueError(f"{whole[:80]} is not a version range")
        at = gap.end()


def _term(found: re.Match[str]) -> _Term:
    numbers = [0, 0, 0]
    given = 0
    for name in ("major", "minor", "patch"):
        if not (found[name] or "x").isdigit():
            break
        numbers[given] = int(found[name])
        given += 1
    low = Version((numbers[0], numbers[1], numbers[2]), not found["pre"], _identifiers(found["pre"]))
    return _Term(_CANONICAL.get(found["op"], found["op"]), low, given)


def is_exact(text: str) -> bool:
    """Whether the text is one whole version (``1.2.3``, ``v1.2.3-rc.1``), not a range."""
    return _EXACT.fullmatch(text) is not None


def is_version(text: str) -> bool:
    """Whether the text is a version, whole or not (``1.2``): for Git tags Argo CD takes it as a name, not a range."""
    return len(text) <= _LONGEST_VERSION and _VERSION.fullmatch(text) is not None


def newest(wanted: str, names: Iterable[str]) -> str | None:
    """The name of the newest version in a range; names that are no versions are passed over, None when none fits.

    Raises ValueError when ``wanted`` is no range.
    """
    accepted = Range.parse(wanted)
    fitting = []
    for name in names:
        try:
            version = Version.parse(name)
        except ValueError:
            continue
        if accepted.accepts(version):
            fitting.append((version, name))
    return max(fitting)[1] if fitting else None
