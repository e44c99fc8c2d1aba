"""Holds: versions that no bump or promotion writes again until they are released (``.gitops-bot/holds.yaml``). Pure.

    holds:
      - what: ghcr.io/acme/churn-api       # an image's repository, a model's name, or FILE#PATH of any other value
        version: sha-4f2a9c1               # tag, digest or model version; "*" holds whatever would be written
        why: rolled back, every request failed
        by: ada
        until: 2026-12-01T12:00:00Z        # left out: until it is released
        environment: staging               # left out: everywhere

People may write the file too, so it is edited as text: an entry is appended or cut out, and nothing else moves.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec

from gitops_bot.errors import UsageError
from gitops_bot.manifests import yaml
from gitops_bot.manifests.lines import lines_of
from gitops_bot.model import typed
from gitops_bot.model.check import problems
from gitops_bot.model.image import same_repository
from gitops_bot.model.tree import PathEscape, Tree
from gitops_bot.text.escape import visible
from gitops_bot.writeback.editor.scalar import write

FILE = ".gitops-bot/holds.yaml"
"""Where holds live, from the repository's root."""

EVERY = "*"
"""As a version: whatever would be written is held."""

_NEW = "# Versions that are not deployed again until they are released (gitops-bot hold list|add|release).\nholds:\n"
_HINT = "docs/reference/rollback.md explains holds"


class Hold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version that shall not come back."""

    what: str
    """Image repository without tag, model name, or ``FILE#PATH``."""
    version: str
    """Exactly this tag, digest or model version; ``*`` for all."""
    why: str
    by: str
    """Login or name of who said so."""
    until: str | None = None
    """RFC 3339 time, or a date, whose last second in UTC still counts; None: until it is released."""
    environment: str | None = None
    """None: in every environment."""

    @property
    def told(self) -> str:
        """One line for people: what is held where, by whom, why and until when."""
        where = f" in {self.environment}" if self.environment else ""
        until = f" until {self.until}" if self.until else " until it is released"
        version = "every version" if self.version == EVERY else self.version
        return f"{self.what} {version} is held{where} by {self.by}{until}: {self.why}"

    @property
    def release(self) -> str:
        """The command that releases it."""
        words = ["gitops-bot", "hold", "release", "--what", self.what]
        words += [] if self.version == EVERY else ["--version", self.version]
        words += ["--environment", self.environment] if self.environment else []
        return shlex.join(words)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    holds: tuple[Hold, ...] | None = None


# -- reading ----------------------------------------------------------------------------------------------------------


def read_holds(tree: Tree) -> tuple[Hold, ...]:
    """The holds of a tree in the order of its file, none where there is no file.

    Raises UsageError that lists every problem with its line: a file that cannot be read holds nothing back by silence.
    """
    if FILE not in tree:
        return ()
    try:
        return parse_holds(tree.read(FILE))
    except (FileNotFoundError, PathEscape):
        raise UsageError(f"{FILE} is no file", hint="make it a file of the repository, or remove it") from None


def parse_holds(data: bytes) -> tuple[Hold, ...]:
    """The holds of a file's bytes. Raises UsageError as ``read_holds``."""
    try:
        document = yaml.load(data, strict=True)
    except yaml.YamlError as error:
        raise UsageError(f"{FILE} cannot be read: {error}", hint=_HINT) from error
    if document is None:
        return ()
    found = [(problem.path, problem.text) for problem in problems(document, _File)]
    if not found:
        holds = typed.convert(document, _File).holds or ()
        found = [
            (f"holds[{index}].until", "is neither a date nor a time with its zone (2026-12-01T12:00:00Z)")
            for index, hold in enumerate(holds)
            if hold.until is not None and _end(hold.until) is None
        ]
        if not found:
            return holds
    where = lines_of(data)
    told = sorted((where.get(path, 0), path, text) for path, text in found)
    lines = [f"  {f'line {line}: ' if line else ''}{path or 'the file'}: {text}" for line, path, text in told]
    title = f"{FILE} has a problem" if len(told) == 1 else f"{FILE} has {len(told)} problems"
    raise UsageError("\n".join([title, *lines]), hint=_HINT)


def counts(hold: Hold, what: str, versions: Collection[str], *, environments: Collection[str], now: datetime) -> bool:
    """Whether a hold stands against writing something.

    ``versions`` are all names of what would be written (tag and digest), ``environments`` those that it is written for.
    ``now`` is aware; a hold whose time is over counts no more.
    """
    return (
        is_about(hold, what)
        and (hold.version == EVERY or hold.version in versions)
        and (hold.environment is None or hold.environment in environments)
        and is_active(hold, now)
    )


def releases(holds: Iterable[Hold]) -> str:
    """The commands that release these holds, for a sentence."""
    return " and ".join(f"`{visible(hold.release)}`" for hold in holds)


def is_about(hold: Hold, what: str) -> bool:
    """Whether a hold is of something, however the name of an image is spelled."""
    return hold.what == what or ("#" not in f"{hold.what}{what}" and same_repository(hold.what, what))


def is_active(hold: Hold, now: datetime) -> bool:
    """Whether a hold counts at a moment (aware); one whose ``until`` cannot be read does."""
    end = _end(hold.until) if hold.until is not None else None
    return end is None or now < end


def _end(until: str) -> datetime | None:
    """The first moment at which a hold counts no more, None when the text is no date or time with a zone."""
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", until):
            day = date.fromisoformat(until)
            return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        found = datetime.fromisoformat(until)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo is not None else None


# -- writing ----------------------------------------------------------------------------------------------------------


def add_hold(data: bytes | None, hold: Hold) -> bytes:
    """The file with one more hold behind the others; ``data`` is None where there is no file yet.

    A hold for the same ``what``, ``version`` and ``environment`` is replaced; the very same hold changes nothing.
    Raises UsageError for a file that cannot be read, and for a hold whose texts are empty or whose time is no time.
    """
    hold = _cleaned(hold)
    if data is None or not data.strip():
        return (data or b"") + _NEW.encode() + _entry(hold, "  ", "\n").encode()
    before = parse_holds(data)
    if hold in before:
        return data
    if any(_same(each, hold) for each in before):
        data, _released = release_hold(data, hold.what, hold.version, environment=hold.environment)
        before = parse_holds(data)
    after = _appended(data, hold)
    return _proved(after, (*before, hold))


def release_hold(
    data: bytes, what: str, version: str | None = None, *, environment: str | None = None
) -> tuple[bytes, tuple[Hold, ...]]:
    """The file without some holds, and those that went, in order.

    ``version`` None releases every version of ``what``; ``environment`` None releases it wherever it is held. Nothing
    that fits gives the same bytes and an empty tuple. Raises UsageError for a file that cannot be read.
    """
    before = parse_holds(data)
    gone = [
        index
        for index, hold in enumerate(before)
        if is_about(hold, what)
        and (version is None or hold.version == version)
        and (environment is None or hold.environment == environment)
    ]
    if not gone:
        return data, ()
    text = data.decode()
    for begin, end in reversed([_span(text, index) for index in gone]):
        text = text[:begin] + text[end:]
    kept = tuple(hold for index, hold in enumerate(before) if index not in gone)
    return _proved(text.encode(), kept), tuple(before[index] for index in gone)


def _same(one: Hold, other: Hold) -> bool:
    return is_about(one, other.what) and (one.version, one.environment) == (other.version, other.environment)


def _cleaned(hold: Hold) -> Hold:
    """The hold with texts of one line. Raises UsageError for what would not be read again."""
    given = {name: getattr(hold, name) for name in hold.__struct_fields__}
    clean = {name: " ".join(str(value).split()) if value is not None else None for name, value in given.items()}
    for name in ("what", "version", "why", "by"):
        if not clean[name]:
            raise UsageError(f"a hold needs {name}", hint="say what is held, which version, why, and who says so")
    if clean["until"] is not None and _end(clean["until"]) is None:
        raise UsageError(
            f"{clean['until']} is neither a date nor a time with its zone", hint="write 2026-12-01 or an RFC 3339 time"
        )
    return typed.convert({name: value or None for name, value in clean.items()}, Hold)


def _entry(hold: Hold, pad: str, newline: str) -> str:
    """The lines of one hold as an item of a list that is indented by ``pad``."""
    values = [(name, getattr(hold, name)) for name in hold.__struct_fields__]
    lines = [f"{name}: {write(value, 'string')}" for name, value in values if value is not None]
    return "".join(f"{pad}{'- ' if at == 0 else '  '}{line}{newline}" for at, line in enumerate(lines))


def _appended(data: bytes, hold: Hold) -> bytes:
    text = data.decode()
    newline = "\r\n" if "\r\n" in text else "\n"
    items, key = _list(text)
    if items is not None and items.value and not items.flow_style:
        last = items.value[-1]
        begin, at = _span(text, len(items.value) - 1)
        dash = text.index("-", begin)
        pad = text[text.rfind("\n", 0, dash) + 1 : dash]
        if pad.strip(" "):
            raise _unusable(last)
    elif items is not None and items.value:
        raise _unusable(items)
    elif key is None:
        raise _unusable(None)
    else:
        # ``holds:`` or ``holds: []``: the value goes, what follows on the line (a comment) stays.
        value = key[1]
        at = _line_end(text, _mark(text, value.end_mark.index))
        if value.start_mark.index < value.end_mark.index:
            start, end = _mark(text, value.start_mark.index), _mark(text, value.end_mark.index)
            gap = start - len(text[:start].rstrip(" "))
            text = text[: start - gap] + text[end:]
            at -= end - start + gap
        pad = "  "
    if at and text[at - 1] not in "\r\n":
        return (text[:at] + newline + _entry(hold, pad, newline).removesuffix(newline) + text[at:]).encode()
    return (text[:at] + _entry(hold, pad, newline) + text[at:]).encode()


def _list(text: str) -> tuple[Any, tuple[Any, Any] | None]:
    """The node of the list of holds (None for an empty value), and key and value of ``holds`` (None: not there)."""
    nodes: list[Any] = list(yaml.compose_all(text.removeprefix("\ufeff")))
    root = next((node for node in nodes if node is not None), None)
    pairs: list[tuple[Any, Any]] = root.value if root is not None and root.id == "mapping" else []
    for key, value in pairs:
        if key.value == "holds":
            return (value if value.id == "sequence" else None), (key, value)
    return None, None


def _span(text: str, index: int) -> tuple[int, int]:
    """Where the lines of one hold begin and end in a list of blocks. Raises UsageError for any other list."""
    items, _key = _list(text)
    if items is None or items.flow_style:
        raise _unusable(items)
    node = items.value[index]
    start = _mark(text, node.start_mark.index)
    begin = text.rfind("\n", 0, start) + 1
    if node.id != "mapping" or not re.fullmatch(r" *- +(?:\? +)?", text[begin:start]):
        raise _unusable(node)
    last = max((_mark(text, value.end_mark.index) for _name, value in node.value), default=start)
    # A block text ends at the beginning of the next line, everything else within its own.
    end = last if text[last - 1 : last] == "\n" else _line_end(text, last)
    return begin, end


def _mark(text: str, index: int) -> int:
    """The offset in the text of a mark made without the byte-order mark."""
    return index + text.startswith("\ufeff")


def _line_end(text: str, at: int) -> int:
    found = text.find("\n", at)
    return len(text) if found < 0 else found + 1


def _unusable(node: Any) -> UsageError:
    where = f", line {node.start_mark.line + 1}" if node is not None else ""
    return UsageError(
        f"{FILE}{where}: the list of holds is not written as this program can edit it",
        hint="write each hold as a block of its own lines: `- what: …`",
    )


def _proved(data: bytes, wanted: tuple[Hold, ...]) -> bytes:
    """The bytes, after reading them again. Raises UsageError when they do not say exactly this."""
    if parse_holds(data) != wanted:
        raise _unusable(None)
    return data
