"""Where secrets stand in a text: in URLs, keys, tokens, assignments, and in YAML or JSON inside of it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from typing import Any

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from gitops_bot.manifests.secret_names import Where, is_open_value, is_reference_key, is_secret_name
from gitops_bot.manifests.secret_notations import Span, in_words, in_xml
from gitops_bot.manifests.yaml import YamlError, compose_all

__all__ = ["Span", "looks_secret", "may_be_secret", "replace", "spans"]

_STRUCTURED = 512 * 1024
"""Characters up to which a text is read as YAML or JSON; a longer one is searched line by line only."""
_DEPTH = 100


# -- what a secret looks like, whatever it is called ----------------------------------------------------------------

_QUICK = re.compile(
    r"://|PRIVATE KEY|LS0tLS1CRUdJTi|eyJ|A[KS]IA|AIza|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|xapp-|sk[-_]|[rp]k_|npm_"
    r"|pypi-|hf_|hv[sb]\.|dop_v1_|ya29\.|SG\.|dckr_|sh(?:pat|ppa|pss)_|\$(?:apr1|2[abxy]|[156y]|argon2)"
    r"|[Bb]earer |[Bb]asic |BEARER |BASIC |-u[ =s]|:(?:5432|6432|\*):"
)
_TOKENS = re.compile(
    r"""
    (?<![A-Za-z0-9])
    (?: gh[pousr]_[A-Za-z0-9]{16,} | github_pat_[A-Za-z0-9_]{16,} | glpat-[A-Za-z0-9_-]{16,}
      | xox[a-z]-[A-Za-z0-9-]{8,} | xapp-[A-Za-z0-9-]{8,}
      | A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9]) | AIza[A-Za-z0-9_-]{30,} | ya29\.[A-Za-z0-9_-]{16,}
      | eyJ[A-Za-z0-9_-]{6,2000}\.[A-Za-z0-9_-]{4,8000}\.[A-Za-z0-9_-]*
      | sk-(?=[A-Za-z_-]{0,60}[0-9])[A-Za-z0-9_-]{20,} | (?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,}
      | npm_[A-Za-z0-9]{30,} | pypi-[A-Za-z0-9_-]{40,} | hf_[A-Za-z0-9]{24,} | hv[sb]\.[A-Za-z0-9_-]{16,}
      | dop_v1_[a-f0-9]{32,} | SG\.[A-Za-z0-9_-]{12,}\.[A-Za-z0-9_-]{12,} | dckr_(?:pat|oat)_[A-Za-z0-9_-]{16,}
      | sh(?:pat|ppa|pss)_[A-Za-z0-9]{16,}
    )
    | \$(?:apr1|2[abxy]|[156y]|argon2id?)\$[^\s"',:]{8,}
    | (?<=hooks\.slack\.com/)(?:services|workflows)/[A-Za-z0-9/_-]+
    | (?<=/api/webhooks/)[0-9]+/[A-Za-z0-9_-]{16,}
    """,
    re.VERBOSE,
)
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)", re.S
)
_PEM_ENCODED = re.compile(r"LS0tLS1CRUdJTi[A-Za-z0-9+/=\s]+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*\Z")
_USERINFO = re.compile(
    r"([^\s/:@\"'<>]{0,500})(?::(?![0-9]{1,5}(?:[/?#\s\"']|\Z))([^\s\"'<>]{0,500}?))?@"
    r"(?=(?:[\w.-]+|\[[0-9a-fA-F:.]+\])?(?::[0-9]+)?(?:[/?#,;\s\"'<>)\]}\\]|\Z))"
)
_PLAIN_USERS = frozenset(("git", ""))
_AUTHORIZATION = re.compile(
    r"\b(?:[Bb]earer|[Bb]asic|BEARER|BASIC)[ ]+(?=[^\s\"']*[0-9+/=._-])([A-Za-z0-9+/=._~-]{8,})"
)

_LOGIN = re.compile(r"(?<![\w-])(?:-u|--user)[ =][\"']?[^\s:\"']+:([^\s\"']+)")
_PGPASS = re.compile(r"^[ \t]*+[\w.*-]++:(?:5432|6432|\*):[^:\s]++:[^:\s]++:((?:[^:\s\\]|\\.)++)[ \t]*+$", re.M)
"""A line of PostgreSQL's password file; with another port only the file's name tells it."""


def _looks(text: str) -> Iterator[Span]:
    for match in _PEM.finditer(text):
        yield Span(*match.span(), "key")
    for match in _PEM_ENCODED.finditer(text) if "LS0tLS1CRUdJTi" in text else ():
        if _is_encoded_key(match[0]):
            yield Span(*match.span(), "key")
    if "://" in text:
        yield from _in_urls(text)
    for match in _TOKENS.finditer(text):
        yield Span(*match.span(), "token")
    for match in _AUTHORIZATION.finditer(text) if "earer " in text or "asic " in text or "ER " in text else ():
        yield Span(*match.span(1), "authorization")
    for match in _LOGIN.finditer(text) if "-u" in text else ():
        yield Span(*match.span(1), "login")
    for match in _PGPASS.finditer(text) if text.count(":") >= 4 else ():
        yield Span(*match.span(1), "pgpass")


def _is_encoded_key(text: str) -> bool:
    """Whether base64 of a PEM block is one of a private key."""
    start = re.sub(r"\s", "", text)
    try:
        decoded = base64.b64decode(start[: len(start) // 4 * 4], validate=False)
    except (binascii.Error, ValueError):
        return True
    return b"PRIVATE KEY-----" in decoded


def _in_urls(text: str) -> Iterator[Span]:
    """Passwords in URLs; over HTTP a user without a password is a token."""
    at = text.find("://")
    while at >= 0:
        found = _USERINFO.match(text, at + 3)
        if found is not None:
            if found[2]:
                yield Span(*found.span(2), "url")
            scheme = _SCHEME.search(text[max(0, at - 20) : at])
            web = scheme is not None and scheme[0].lower().endswith(("http", "https"))
            if web and found[2] in (None, "", "x-oauth-basic") and found[1].lower() not in _PLAIN_USERS:
                yield Span(*found.span(1), "url user")
        at = text.find("://", at + 3)


# -- what it is called ----------------------------------------------------------------------------------------------

_HINT = re.compile(r"(?i)pass|pwd|secret|token|cred|key|dsn|auth|salt|jwt|bearer|connection|sig|hook|stringdata")
_NAME = re.compile(r"(?<![\w.-])-{0,2}([A-Za-z_][\w.-]*+)([\"'\]]{0,2}+)[ \t]*+(?:=>|:=|[:=])(?![:=]|//)[ \t]*+")
_QUOTED = re.compile(r"\\?\"(?:[^\"\\\n]|\\[^\n])*+\"?|'(?:[^'\n]|'')*+'?")
_BLOCK = re.compile(r"[|>][+-]?[0-9]?[+-]?[ \t]*(?=\n)")
_REST = re.compile(r"[^\n]*")
_UNTIL = {
    "?": re.compile(r"[^&\"'\s]*"),
    ";": re.compile(r"[^;\"'\n]*"),
    ",": re.compile(r"[^,}\"'\n]*"),
    "": re.compile(r"[^\"'\s]*"),
}
"""How far a value goes that does not begin its line, by what stands before its name."""
_LOOK_BACK = 120
"""Characters before a name that are looked at."""
_STARTS = re.compile(r"[ \t]*(?:-[ \t]+)?(?:export[ \t]+|set[ \t]+|ENV[ \t]+|ARG[ \t]+)?-{0,2}[\"']?\Z")
_FLAG = re.compile(r"(?<![\w-])--?(?P<name>[A-Za-z][\w.-]*+)[ \t]+(?P<value>\"[^\"\n]*\"?|'[^'\n]*'?|[^\s\"'-]\S*)")


def _named(text: str) -> Iterator[Span]:
    """Values of assignments and flags whose name says that they are secret, line by line."""
    at = 0
    while (match := _NAME.search(text, at)) is not None:
        name = match[1]
        at = match.end()
        if not _HINT.search(name):
            continue
        where: Where = "variable" if "=" in match[0] or name.isupper() else "field"
        if not is_secret_name(name, where):
            continue
        start, end = _extent(text, match)
        if end > start and not is_open_value(name, text[start:end], where):
            yield Span(start, end, f"= {name}")
        at = max(end, at)
    for match in _FLAG.finditer(text) if "-" in text else ():
        if is_secret_name(match["name"], "variable"):
            start, end = _unquoted(text, *match.span("value"))
            if not is_open_value(match["name"], text[start:end], "variable"):
                yield Span(start, end, f"= {match['name']}")
    yield from in_words(text)
    yield from in_xml(text)


def _unquoted(text: str, start: int, end: int) -> tuple[int, int]:
    if text[start : start + 1] == "\\":
        start += 1
    quote = text[start : start + 1]
    if quote in ('"', "'"):
        start += 1
        if end > start and text[end - 1] == quote:
            end -= 1
        if end > start and text[end - 1] == "\\":
            end -= 1
    return start, end


def _extent(text: str, match: re.Match[str]) -> tuple[int, int]:
    """Where the value of an assignment starts and ends: rather too much of a line than too little."""
    start = match.end()
    quoted = _QUOTED.match(text, start)
    if quoted:
        return _unquoted(text, start, quoted.end())
    block = _BLOCK.match(text, start)
    if block:
        return _block(text, match.start(), block.end())
    if text[start : start + 1] in ("{", "[") and text[start : start + 2] != "{{":
        return start, start
    first = max(0, match.start() - _LOOK_BACK)
    line = text.rfind("\n", first, match.start()) + 1
    before = text[line or first : match.start()]
    if (line or first == 0) and _STARTS.fullmatch(before):
        value = _end(_REST.match(text, start), start)
        comment = text.find(" #", start, value)
        end = value if comment < 0 else comment
        return start, start + len(text[start:end].rstrip(" \t\r,"))
    lead = before.rstrip(" \t\"'")[-1:]
    kind = {"&": "?", "{": ",", "\\": ""}.get(lead, lead)
    if kind in ("?", ";") and before[-1:] != lead:
        kind = ""
    return start, _end(_UNTIL.get(kind, _UNTIL[""]).match(text, start), start)


def _end(match: re.Match[str] | None, otherwise: int) -> int:
    return otherwise if match is None else match.end()


def _block(text: str, name: int, end: int) -> tuple[int, int]:
    """A literal block: the deeper lines below."""
    line = text.rfind("\n", 0, name) + 1
    indent = (
        name - line
        if text[line:name].isspace() or line == name
        else len(text[line:name]) - len(text[line:name].lstrip())
    )
    at = end + 1
    last = at
    while at < len(text):
        stop = text.find("\n", at)
        stop = len(text) if stop < 0 else stop
        content = text[at:stop]
        if content.strip() and len(content) - len(content.lstrip(" ")) <= indent:
            break
        last = stop
        at = stop + 1
    start = min(end + 1, last)
    return start + len(text[start:last]) - len(text[start:last].lstrip(" ")), last


# -- YAML and JSON in a text ----------------------------------------------------------------------------------------


def _structured(text: str) -> Iterator[Span]:
    """Secrets of a mapping that the text writes out, found by the same rules as in an object."""
    try:
        roots = compose_all(text)
    except YamlError:
        return
    for root in roots:
        if isinstance(root, (MappingNode, SequenceNode)):
            yield from _node(root, text, "", 0, set(), None)


def _node(
    node: Node, text: str, path: str, depth: int, seen: set[int], name: str | None, *, whole: bool = False
) -> Iterator[Span]:
    """The secret scalars below a node; ``whole`` when everything is one, ``name`` the key it hangs on."""
    if isinstance(node, ScalarNode):
        hidden = whole or (name is not None and is_secret_name(name) and not is_open_value(name, node.value))
        if hidden and node.value:
            yield _scalar(node, text, path)
        return
    if id(node) in seen or depth > _DEPTH:
        return
    seen.add(id(node))
    if isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            yield from _node(item, text, f"{path}[{index}]", depth + 1, seen, name, whole=whole)
        return
    pairs = {str(key.value): value for key, value in node.value if isinstance(key, ScalarNode)}
    secret = _text_of(pairs.get("kind")) in ("Secret", "SecretList")
    pair = _text_of(pairs.get("path" if "op" in pairs else "name")) or ""
    for key, value in pairs.items():
        here = f"{path}.{key}"
        if key == "value" and _is_pair(pair):
            yield from _node(value, text, here, depth + 1, seen, None, whole=whole or _hides(pair, value))
        elif key != "encryptedData":
            data = secret and key in ("data", "stringData", "binaryData")
            yield from _node(value, text, here, depth + 1, seen, None if data else key, whole=whole or data)


def _is_pair(name: str) -> bool:
    """Whether a ``value`` beside this name, or path of a JSON patch, is a secret unless it says otherwise."""
    return name.startswith("/stringData") or is_secret_name(name, "variable")


def _hides(name: str, value: Node) -> bool:
    """Whether all of a value beside a secret's name is one."""
    if name.startswith("/stringData"):
        return True
    if isinstance(value, ScalarNode):
        return not is_open_value(name, value.value, "variable")
    return name[:1] != "/" and not _refers(value)


def _refers(node: Node) -> bool:
    """Whether a mapping, or one in a list, names where a value is instead of being one."""
    if isinstance(node, SequenceNode):
        return any(_refers(item) for item in node.value if not isinstance(item, SequenceNode))
    return isinstance(node, MappingNode) and any(is_reference_key(_text_of(key) or "") for key, _ in node.value)


def _text_of(node: Node | None) -> str | None:
    return str(node.value) if isinstance(node, ScalarNode) else None


def _scalar(node: ScalarNode, text: str, path: str) -> Span:
    start, end = node.start_mark.index, node.end_mark.index
    if node.style in ("'", '"') and text[start : start + 1] == node.style:
        start, end = start + 1, end - 1
    elif node.style in ("|", ">"):
        start = text.find("\n", start) + 1
        end = start + len(text[start:end].rstrip())
        start += len(text[start:end]) - len(text[start:end].lstrip(" "))
    return Span(start, end, path)


# -- all together ---------------------------------------------------------------------------------------------------

_PART = re.compile(r"[\s\"'=:{\[>]")


def spans(text: str, *, names: bool = True) -> list[Span]:
    """The parts of a text that are secrets, in order, none over another; labels are unique.

    Without ``names`` only what looks like a secret counts, not what a name in the text says to be one.
    """
    found: list[Span] = []
    if _QUICK.search(text):
        found += _looks(text)
    if names and _PART.search(text) and _HINT.search(text):
        if len(text) <= _STRUCTURED and ("\n" in text or text.lstrip()[:1] in ("{", "[")):
            found += _structured(text)
        found += _named(text)
    return _apart(found) if found else []


def _apart(found: Iterable[Span]) -> list[Span]:
    """The spans in order, those that touch as one, and a number on labels that are there twice."""
    merged: list[Span] = []
    for span in sorted(found):
        if span.end <= span.start:
            continue
        if merged and span.start < merged[-1].end:
            merged[-1] = merged[-1]._replace(end=max(merged[-1].end, span.end))
        else:
            merged.append(span)
    counts: dict[str, int] = {}
    out = []
    for span in merged:
        counts[span.label] = counts.get(span.label, 0) + 1
        out.append(span._replace(label=f"{span.label} {counts[span.label]}"))
    return out


def looks_secret(text: str) -> bool:
    """Whether anything in a text is a secret by its looks, whatever it is called."""
    return _QUICK.search(text) is not None and next(_looks(text), None) is not None


def may_be_secret(text: str) -> bool:
    """Whether anything in a manifest may be a secret, without reading it: rather yes than no."""
    return _HINT.search(text) is not None or _QUICK.search(text) is not None


def replace(text: str, masks: Iterable[tuple[Span, Any]]) -> str:
    """The text with a mask for each span, given in order."""
    out, at = [], 0
    for span, mask in masks:
        out += [text[at : span.start], str(mask)]
        at = span.end
    return "".join([*out, text[at:]])
