r"""Where a value stands in a YAML file: ``Deployment/api: spec.containers[name=api].image`` and its like.

    address  = [ document ":" ] path { "|" path }
    document = Kind "/" [ namespace "/" ] name  |  index
    path     = step { "." key  |  "[" index "]"  |  "[" field "=" value "]" }

``|`` goes into a text that is YAML itself, as ``spec.source.helm.values | image.tag``. Indexes begin at 0. In a key,
``.``, ``[``, ``]``, ``|``, ``:`` and quotes follow a backslash, or the whole key is quoted: ``a\.b``, ``"a.b"``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gitops_bot.errors import UsageError


class Key(NamedTuple):
    """The entry of a mapping."""

    name: str


class Index(NamedTuple):
    """The item of a list at a place; 0 is the first."""

    number: int


class Match(NamedTuple):
    """The one item of a list whose field has this text."""

    field: str
    value: str


Step = Key | Index | Match


class Document(NamedTuple):
    """Which document of a file: by kind and name, or by its place (0 is the first)."""

    kind: str = ""
    name: str = ""
    namespace: str = ""
    """Empty: any, also none."""
    number: int | None = None
    """None: by kind and name."""

    def __str__(self) -> str:
        if self.number is not None:
            return str(self.number)
        return "/".join([self.kind, *(_name(each) for each in (self.namespace, self.name) if each)])


class Address(NamedTuple):
    """Where a value stands; ``str`` gives the text that ``parse`` reads."""

    paths: tuple[tuple[Step, ...], ...]
    """At least one; each further one lies inside the text that the one before leads to. None is empty."""
    document: Document | None = None
    """None: the one document in which the path leads somewhere."""

    def __str__(self) -> str:
        paths = " | ".join(write_path(path) for path in self.paths)
        return f"{self.document}:{paths}" if self.document else paths

    def __truediv__(self, name: str) -> Address:
        """The address of a key below this one."""
        return self.down(Key(name))

    def down(self, *steps: Step) -> Address:
        """The address some steps below this one."""
        return self._replace(paths=(*self.paths[:-1], (*self.paths[-1], *steps)))


class AddressError(UsageError):
    """A text that is no address: what is wrong, and at which character (1 is the first)."""

    def __init__(self, text: str, at: int, problem: str) -> None:
        """Take the text, the offset in it (0 is the first) and what is wrong there."""
        super().__init__(
            f"{text!r} is no address: at character {at + 1}: {problem}",
            hint="write dotted keys such as image.tag, images[name=api].newTag or Deployment/api: spec.replicas",
        )


def parse(text: str) -> Address:
    """The address that a text stands for. Raises AddressError."""
    return _Reader(text).address()


def parse_path(text: str) -> tuple[Step, ...]:
    """The steps of one path, without a document and without ``|``. Raises AddressError."""
    address = _Reader(text).address()
    if address.document or len(address.paths) > 1:
        raise AddressError(text, 0, "only a path is meant here, without a document and without |")
    return address.paths[0]


_SPECIAL = ".[]|:\"'\\"
_BARE = re.compile(r"[^\s.\[\]|:\"'\\](?:[^.\[\]|:\"'\\\x00-\x1f\x7f]*[^\s.\[\]|:\"'\\])?")
_BARE_OR_DOTTED = re.compile(r"[A-Za-z0-9_./@%+=~$-]+")
_BARE_VALUE = re.compile(r"[^\s\]\[\"'\\=](?:[^\]\"'\\\x00-\x1f\x7f]*[^\s\]\"'\\])?")
_BARE_NAME = re.compile(r"[A-Za-z0-9._-]+")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _name(text: str) -> str:
    return text if _BARE_NAME.fullmatch(text) else _quoted(text)


def _key(text: str) -> str:
    if _BARE.fullmatch(text):
        return text
    return text.replace(".", "\\.") if _BARE_OR_DOTTED.fullmatch(text) else _quoted(text)


def write_path(path: tuple[Step, ...]) -> str:
    """The steps as ``parse_path`` reads them."""
    out: list[str] = []
    for step in path:
        if isinstance(step, Key):
            out += [".", _key(step.name)] if out else [_key(step.name)]
        elif isinstance(step, Index):
            out.append(f"[{step.number}]")
        else:
            value = step.value if _BARE_VALUE.fullmatch(step.value) else _quoted(step.value)
            field = step.field if _BARE_NAME.fullmatch(step.field) else _quoted(step.field)
            out.append(f"[{field}={value}]")
    return "".join(out)


_INDEX_DOCUMENT = re.compile(r"\s*([0-9]{1,6})\s*:")
_KIND = re.compile(r"\s*([A-Z][A-Za-z0-9]*)/")


class _Reader:
    """Reads one address from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def fail(self, problem: str, at: int | None = None) -> AddressError:
        return AddressError(self.text, self.at if at is None else at, problem)

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def blanks(self) -> None:
        while self.peek().isspace():
            self.at += 1

    def address(self) -> Address:
        if not self.text.strip():
            raise self.fail("there is nothing; at least one key is needed")
        document = self.document()
        paths = [self.path()]
        while self.peek() == "|":
            self.at += 1
            paths.append(self.path())
        return Address(tuple(paths), document)

    def document(self) -> Document | None:
        if found := _INDEX_DOCUMENT.match(self.text):
            self.at = found.end()
            return Document(number=int(found[1]))
        found = _KIND.match(self.text)
        if not found:
            return None
        self.at = found.end()
        names = [self.plain_or_quoted("/:[]|")]
        if self.peek() == "/":
            self.at += 1
            names.append(self.plain_or_quoted("/:[]|"))
        self.blanks()
        if self.peek() != ":" or not all(names):
            self.at = 0  # a key such as Team/owner, and no document
            return None
        self.at += 1
        return Document(found[1], names[-1], names[0] if len(names) == 2 else "")

    def path(self) -> tuple[Step, ...]:
        self.blanks()
        steps: list[Step] = []
        if self.peek() == ".":
            raise self.fail("a path does not begin with a dot")
        if self.peek() == "[":
            steps.append(self.bracket())
        elif self.peek() in ("", "|"):
            raise self.fail("a path is missing")
        else:
            steps.append(self.key())
        while True:
            if self.peek() == ".":
                self.at += 1
                steps.append(self.key())
            elif self.peek() == "[":
                steps.append(self.bracket())
            else:
                break
        self.blanks()
        if self.peek() not in ("", "|"):
            raise self.fail(f"{self.peek()!r} is unexpected after a step; a dot, a bracket, | or the end may follow")
        return tuple(steps)

    def key(self) -> Key:
        begin = self.at
        if self.peek() in ("'", '"'):
            return Key(self.quoted())
        name = self.until(_SPECIAL)
        if self.peek() == "|" or not self.peek():
            # Blanks before | and at the end belong to nobody; an escaped one is kept by quoting.
            name = name.rstrip()
        if self.peek() == ":":
            raise self.fail(
                "a colon ends a document such as Deployment/api or 0, and there is none before it; "
                "in a key write \\: or quote the key"
            )
        if self.peek() == "]":
            raise self.fail("a closing bracket without an opening one; in a key write \\]")
        if self.peek() in ("'", '"'):
            raise self.fail("a quote inside a key; write a backslash before it or quote the whole key")
        if not name:
            raise self.fail('a key is missing here (an empty key is written "")', begin)
        return Key(name)

    def plain_or_quoted(self, ends: str) -> str:
        return self.quoted() if self.peek() in ("'", '"') else self.until(ends + "\"'").rstrip()

    def until(self, ends: str) -> str:
        """The text up to one of these characters, with what follows a backslash taken as it is."""
        out: list[str] = []
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "\\":
                out.append(self.escaped())
                continue
            if char in ends:
                break
            out.append(char)
            self.at += 1
        return "".join(out)

    def escaped(self) -> str:
        if self.at + 1 >= len(self.text):
            raise self.fail("a backslash at the end; it stands before the character it protects")
        self.at += 2
        return self.text[self.at - 1]

    def quoted(self) -> str:
        quote, begin = self.peek(), self.at
        self.at += 1
        text = self.until(quote)
        if self.peek() != quote:
            raise self.fail(f"the quote {quote} is not closed", begin)
        self.at += 1
        return text

    def bracket(self) -> Step:
        begin = self.at
        self.at += 1
        field = self.quoted() if self.peek() in ("'", '"') else self.until("]=[")
        if self.peek() == "=":
            self.at += 1
            value = self.quoted() if self.peek() in ("'", '"') else self.until("]")
            if not field:
                raise self.fail("the field's name is missing, as in [name=api]", begin + 1)
            if self.peek() != "]":
                raise self.fail("the bracket is not closed", begin)
            self.at += 1
            return Match(field, value)
        if self.peek() != "]":
            raise self.fail("the bracket is not closed", begin)
        self.at += 1
        if not re.fullmatch(r"[0-9]{1,9}", field):
            raise self.fail("between brackets stands an index such as [0] or a field such as [name=api]", begin + 1)
        return Index(int(field))
