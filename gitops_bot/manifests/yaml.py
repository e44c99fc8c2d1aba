"""Reading YAML as Kubernetes does, and writing it for people to read.

Kubernetes turns YAML into JSON with Go's ``sigs.k8s.io/yaml`` (YAML 1.1 booleans, C-like integers, no dates, no
sexagesimals, keys are strings); the scalars read here are its readings, tried with ``kubectl patch --local``.
The parser is libyaml's, with a loader class of our own: PyYAML's global tables stay as they are.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from typing import Any, NamedTuple, cast

from yaml import MappingNode, MarkedYAMLError, Node, ScalarNode, SequenceNode, YAMLError
from yaml._yaml import CParser

MAX_DEPTH = 200
"""How deep mappings and lists may nest; the deepest definitions in use have about 60 levels."""
MAX_ALIASED = 200_000
"""How many nodes the aliases of one document may add when they are written out."""
_STANDARD = "tag:yaml.org,2002:"
_PLAIN, _TEXT = "plain", "text"
_INTEGER = re.compile(r"([+-]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_NOT_JSON = frozenset(
    f"{sign}.{word}" for word in ("nan", "NaN", "NAN", "inf", "Inf", "INF") for sign in ("", "+", "-")
)


class YamlError(ValueError):
    """A document that cannot be read: one sentence with the line, never a value."""

    def __init__(self, problem: str, line: int = 0) -> None:
        """Take what is wrong, and the line it is on (1 is the first; 0 when it is not known)."""
        super().__init__(f"line {line}: {problem}" if line else problem)
        self.problem = problem
        self.line = line


class DuplicateKey(NamedTuple):
    """A key that a mapping has more than once; the last one wins."""

    key: str
    line: int
    """Of the later one; 1 is the first line of what was read."""


class Unchanged(NamedTuple):
    """Stands for a part that is the same text on both sides and was therefore not read (``manifests.prune``)."""

    lines: int


class _Loader(CParser):
    """libyaml's parser and composer, told apart only by plain and quoted, with a limit on depth.

    The composer calls the three methods below for every node.
    """

    depth = 0

    def resolve(self, _kind: type[Node], _value: str | None, implicit: Any) -> str:
        return _PLAIN if implicit is not True and implicit[0] else _TEXT

    def descend_resolver(self, _parent: Node | None, _index: object) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise YamlError(f"nested deeper than {MAX_DEPTH} levels")

    def ascend_resolver(self) -> None:
        self.depth -= 1


class _Builder:
    """Makes plain values out of one document's nodes."""

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict
        self.duplicates: list[DuplicateKey] = []
        self._seen: dict[int, int] = {}
        """Id of each finished collection → nodes in it, written out."""
        self._open: set[int] = set()
        self._nodes = 0
        self._aliased = 0

    def build(self, node: Node, depth: int = 0) -> Any:
        self._nodes += 1
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        identity = id(node)
        if identity in self._open:
            raise YamlError("an alias refers to what contains it", _line(node))
        if depth >= MAX_DEPTH:
            raise YamlError(f"nested deeper than {MAX_DEPTH} levels", _line(node))
        if identity in self._seen:
            self._aliased += self._seen[identity]
            if self._aliased > MAX_ALIASED:
                raise YamlError(f"aliases add more than {MAX_ALIASED:,} nodes", _line(node))
        before = self._nodes
        self._open.add(identity)
        if isinstance(node, SequenceNode):
            _refuse_tag(node, "seq", "omap", "pairs")
            value: Any = [self.build(item, depth + 1) for item in node.value]
        else:
            value = self._mapping(cast("MappingNode", node), depth)
        self._open.discard(identity)
        self._seen[identity] = self._nodes - before + 1
        return value

    def _mapping(self, node: MappingNode, depth: int) -> dict[str, Any]:
        _refuse_tag(node, "map", "set")
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                raise YamlError("a key is a mapping or a list", _line(key_node))
            if key_node.value == "<<" and key_node.tag == _PLAIN:
                for name, value in self._merge(value_node, depth):
                    merged.setdefault(name, value)
                continue
            key = self._key(key_node)
            if key in found:
                if self.strict:
                    raise YamlError(f"the key {_shown(key)} is there twice", _line(key_node))
                self.duplicates.append(DuplicateKey(key, _line(key_node)))
            found[key] = self.build(value_node, depth + 1)
        return {**merged, **found} if merged else found

    def _merge(self, node: Node, depth: int) -> list[tuple[str, Any]]:
        nodes = node.value if isinstance(node, SequenceNode) else [node]
        if not all(isinstance(each, MappingNode) for each in nodes):
            raise YamlError("a merge key << takes a mapping or a list of mappings", _line(node))
        return [pair for each in nodes for pair in self.build(each, depth + 1).items()]

    def _key(self, node: ScalarNode) -> str:
        if node.tag != _PLAIN:
            value = self._scalar(node)
        elif _TEXT_KEY.fullmatch(node.value):
            return node.value if node.value not in _WORDS else json_key(_WORDS[node.value])
        else:
            value = _plain(node.value, node)
        return json_key(value)

    def _scalar(self, node: ScalarNode) -> Any:
        tag = node.tag
        if tag == _TEXT:
            return node.value
        if tag == _PLAIN:
            return _plain(node.value, node)
        return _tagged(node)


_TEXT_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _shown(key: str) -> str:
    return key if len(key) <= 80 else key[:79] + "…"


def json_key(value: Any) -> str:
    """A plain scalar as a key of JSON: numbers, booleans and null in words."""
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _refuse_tag(node: Node, *names: str) -> None:
    tag = node.tag
    if tag.startswith(_STANDARD) and tag.removeprefix(_STANDARD) not in names:
        raise YamlError("a tag that does not belong here", _line(node))


def _plain(text: str, node: Node) -> Any:
    if text in _NOT_JSON:
        raise YamlError("a number that JSON cannot hold (infinity or not-a-number)", _line(node))
    return resolve_plain(text)


@lru_cache(maxsize=16_384)
def resolve_plain(text: str) -> Any:
    """What an unquoted scalar means to Kubernetes: None, a bool, an int, a float, or the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "0123456789+-.":
        return text
    digits = text.replace("_", "")
    match = _INTEGER.fullmatch(digits)
    if match and len(digits) < 70:
        sign, sixteen, two, eight, ten = match.groups()
        number = int(sixteen or two or eight or ten, 16 if sixteen else 2 if two else 8 if eight else 10)
        if number < 1 << 64:
            return -number if sign == "-" else number
    if _FLOAT.fullmatch(digits):
        decimal = float(digits)
        if decimal in (float("inf"), float("-inf")):
            return text
        return int(decimal) if decimal.is_integer() and abs(decimal) < 1e15 else decimal
    return text


def _tagged(node: ScalarNode) -> Any:
    """A scalar with an explicit tag; tags that are not YAML's own mean text, as in Go."""
    if not node.tag.startswith(_STANDARD):
        return node.value
    name = node.tag.removeprefix(_STANDARD)
    if name in ("str", "timestamp"):
        return node.value
    if name == "binary":
        try:
            return base64.b64decode(node.value, validate=False).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            raise YamlError("!!binary is not base64", _line(node)) from None
    kinds: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,), "null": (type(None),)}
    value = resolve_plain(node.value)
    if name not in kinds:
        raise YamlError("a tag that is not allowed in manifests", _line(node))
    if not isinstance(value, kinds[name]):
        raise YamlError(f"the value is no !!{name}", _line(node))
    return value


def read_all(data: bytes, *, strict: bool = False) -> tuple[list[Any], list[DuplicateKey]]:
    """Every document of a stream as plain values, and the keys that were there twice (last wins).

    With ``strict`` a duplicate key is an error.
    Raises YamlError for anything that cannot be read.
    """
    documents: list[Any] = []
    duplicates: list[DuplicateKey] = []
    try:
        loader = _Loader(data.removeprefix(b"\xef\xbb\xbf"))
        while loader.check_node():
            builder = _Builder(strict=strict)
            documents.append(builder.build(cast("Node", loader.get_node())))
            duplicates += builder.duplicates
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # Only libyaml's own constant sentences: the names it would quote, of aliases and anchors, are cut off.
        problem = re.sub(r"(?<=alias|nchor) '.*", "", error.problem or "not valid YAML", flags=re.DOTALL)
        last = data.rstrip().count(b"\n") + 1
        raise YamlError(problem, min(mark.line + 1, last) if mark else 0) from None
    except (YAMLError, UnicodeDecodeError):
        raise YamlError("a character that YAML does not allow, or text that is not UTF-8") from None
    except RecursionError:
        raise YamlError(f"nested deeper than {MAX_DEPTH} levels") from None
    return documents, duplicates


def load_all(data: bytes, *, strict: bool = False) -> list[Any]:
    """Every document of a stream: dicts, lists, str, int, float, bool and None; an empty document is None.

    With ``strict`` a duplicate key is an error with its line; else the last one wins. Raises YamlError.
    """
    return read_all(data, strict=strict)[0]


def load(data: bytes, strict: bool = False) -> Any:
    """The one document of a stream, None for an empty stream. Raises YamlError, also for a second document."""
    documents = load_all(data, strict=strict)
    if len(documents) > 1:
        raise YamlError("there is more than one document")
    return documents[0] if documents else None


def compose_all(text: str) -> list[Node | None]:
    """The node tree of every document, with the marks of where its parts stand. Raises YamlError."""
    nodes: list[Node | None] = []
    try:
        loader = _Loader(text)
        while loader.check_node():
            nodes.append(loader.get_node())
    except (YAMLError, RecursionError, ValueError):
        raise YamlError("not valid YAML") from None
    return nodes


# -- writing ------------------------------------------------------------------------------------------------------

_BARE = re.compile(r"[A-Za-z0-9/_.][A-Za-z0-9_./@%+=~,()$-]*(?:[ :][A-Za-z0-9_./@%+=~,()$-]+)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9/_.][A-Za-z0-9_./@-]*")


def dump(value: Any) -> str:
    """A value as YAML for people: block style, sorted keys, texts of several lines as literal blocks.

    The same value always gives the same text, and reading the text gives the value (but not parts left out).
    """
    return "".join(f"{line}\n" for line in dump_lines(value))


def dump_lines(value: Any, indent: int = 0) -> list[str]:
    """The lines of ``dump`` without their ends, each indented by ``indent`` spaces."""
    out: list[str] = []
    pad = " " * indent
    if isinstance(value, dict) and value:
        for key in sorted(value):
            _entry(f"{pad}{dump_key(key)}:", value[key], indent, out)
    elif isinstance(value, list) and value:
        for item in value:
            item_lines(item, indent, out)
    else:
        first, *rest = scalar_lines(value, indent)
        out += [pad + first, *rest]
    return out


def _entry(prefix: str, value: Any, indent: int, out: list[str]) -> None:
    if isinstance(value, dict) and value:
        out.append(prefix)
        pad = " " * (indent + 2)
        for key in sorted(value):
            _entry(f"{pad}{dump_key(key)}:", value[key], indent + 2, out)
    elif isinstance(value, list) and value:
        out.append(prefix)
        for item in value:
            item_lines(item, indent, out)
    else:
        first, *rest = scalar_lines(value, indent + 2)
        out.append(f"{prefix} {first}")
        out += rest


def entry_lines(key: str, value: Any, indent: int) -> list[str]:
    """The lines of one ``key: value`` of a mapping that is indented by ``indent`` spaces."""
    out: list[str] = []
    _entry(f"{' ' * indent}{dump_key(key)}:", value, indent, out)
    return out


def item_lines(item: Any, indent: int, out: list[str]) -> None:
    """Append the lines of one list item; the dash stands after ``indent`` spaces."""
    lines = dump_lines(item, indent + 2)
    out.append(f"{' ' * indent}- {lines[0][indent + 2 :]}")
    out += lines[1:]


def dump_key(key: str) -> str:
    """A key as it is written: bare where that reads back as the same text."""
    return key if _BARE_KEY.fullmatch(key) and _stays_text(key) else _quoted(key)


def _stays_text(text: str) -> bool:
    return isinstance(resolve_plain(text), str) and text not in _NOT_JSON and not text.startswith(("...", "---"))


def scalar_lines(value: Any, indent: int) -> list[str]:
    """A scalar or empty collection as lines: the first as it follows ``key: ``, the rest with ``indent`` spaces."""
    if isinstance(value, str):
        return _text_lines(value, indent)
    if isinstance(value, Unchanged):
        return [f"# ({value.lines:,} unchanged lines)"]
    if value is None:
        return ["null"]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, (dict, list)):
        return ["{}" if isinstance(value, dict) else "[]"]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return [str(int(value))]
    return [repr(value)]  # numbers, and masks that print themselves


def _text_lines(text: str, indent: int) -> list[str]:
    if "\n" in text and _literal(text):
        chomp = "-" if not text.endswith("\n") else "+" if text.endswith("\n\n") else ""
        body = text.removesuffix("\n").split("\n")
        hint = "2" if body[0][:1] in ("", " ", "\t", "#") else ""
        pad = " " * indent
        # The indentation of a block at the top of a document cannot be named from its parent's: see the caller.
        return [f"|{hint if indent else ''}{chomp}", *(pad + line if line else "" for line in body)]
    if _BARE.fullmatch(text) and _stays_text(text) and len(text) < 4096:
        return [text]
    return [_quoted(text)]


def _literal(text: str) -> bool:
    """Whether a literal block can hold the text: nothing unprintable, no line break but newlines, some content."""
    return all(line.replace("\t", " ").isprintable() for line in text.split("\n")) and text.strip() != ""


def _quoted(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(char) or (char if char.isprintable() else _escape(char)) for char in text) + '"'


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
