"""Reading Go templates just far enough: refuse what Argo CD does not have, and say what helm would do otherwise.

Helm's engine is Go's ``text/template`` with sprig, as Argo CD's is. What differs is rewritten token by token:

* a missing key: helm always runs with ``missingkey=zero``; a field chain ``.a.b`` becomes ``(and CHECK .a.b)``, whose
  value is ``.a.b`` itself, after a check that does what Argo CD's option would do;
* ``normalize`` and ``slugify``, Argo CD's own functions, become templates of ours;
* functions that only helm has are refused as Argo CD refuses them: not defined.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from gitops_bot.render.applicationsets.fasttemplate import TemplateError, go_text, shorten

_HELM_ONLY = frozenset({
    "include", "tpl", "required", "lookup", "toToml", "fromToml", "toYamlPretty", "mustToYaml", "mustToToml",
    "fromJsonArray", "env", "expandenv", "getHostByName",
})  # fmt: skip
"""Not defined in an ApplicationSet: helm's own functions, and those that Argo CD takes away from sprig."""

_NESTED_TEMPLATES = frozenset({"define", "template", "block"})
_OPENING = frozenset({"if", "range", "with"})

_TOKEN = re.compile(
    r"""
    (?P<space>\s)
  | (?P<literal>"(?:\\.|[^"\\\n])*" | `[^`]*` | '(?:\\.|[^'\\\n])*' | [+-]?\d[\w.]*)
  | (?P<chain>(?P<base>\$\w*)?(?P<fields>(?:\.[^\W\d]\w*)+))
  | (?P<variable>\$\w*)
  | (?P<word>[^\W\d]\w*)
  | (?P<other>:= | [^\s])
    """,
    re.VERBOSE,
)
_END = re.compile(r"(?:\s-)?\}\}")
_COMMENT = re.compile(r"\{\{(?:-\s)?/\*.*?\*/(?:\s-)?\}\}", re.DOTALL)


class Token(NamedTuple):
    """A piece of an action."""

    kind: str
    """``space``, ``literal``, ``chain``, ``variable``, ``word`` or ``other`` (one character, or ``:=``)."""
    text: str


class Action(NamedTuple):
    """One ``{{…}}``."""

    opening: str
    """``{{``, or ``{{-`` with the white space that follows."""
    tokens: tuple[Token, ...]
    closing: str
    """``}}`` or `` -}}``."""

    def words(self) -> tuple[Token, ...]:
        """The tokens without white space."""
        return tuple(token for token in self.tokens if token.kind != "space")


def parse(text: str) -> list[str | Action]:
    """Split a template into plain text (comments among it) and actions.

    Raises TemplateError for an action or quotation without end.
    """
    parts: list[str | Action] = []
    position = 0
    while (start := text.find("{{", position)) >= 0:
        parts.append(text[position:start])
        comment = _COMMENT.match(text, start)
        if comment:
            parts.append(comment.group())
            position = comment.end()
            continue
        action, position = _action(text, start)
        parts.append(action)
    parts.append(text[position:])
    return [part for part in parts if part]


def _action(text: str, start: int) -> tuple[Action, int]:
    trim = re.compile(r"\{\{-(?=\s)").match(text, start)
    position = trim.end() if trim else start + 2
    opening = text[start:position]
    tokens: list[Token] = []
    while position < len(text):
        end = _END.match(text, position)
        if end:
            return Action(opening, tuple(tokens), end.group()), end.end()
        found = _TOKEN.match(text, position)
        assert found is not None and found.lastgroup is not None
        kind = next(name for name in ("space", "literal", "chain", "variable", "word", "other") if found.group(name))
        piece = found.group()
        if piece in ('"', "`", "'"):
            raise TemplateError(f"template {shorten(text)}: unterminated quotation")
        tokens.append(Token(kind, piece))
        position = found.end()
    raise TemplateError(f"template {shorten(text)}: {{{{ without }}}}")


def check(text: str, parts: list[str | Action]) -> None:
    """Refuse what has no place in an ApplicationSet's template.

    Raises TemplateError, which names the function or the unbalanced ``end``.
    """
    depth = 0
    for action in _actions(parts):
        words = action.words()
        first = words[0].text if words else ""
        depth += (first in _OPENING) - (first == "end")
        if depth < 0:
            raise TemplateError(f"template {shorten(text)}: unexpected {{{{end}}}}")
        for token in words:
            if token.kind == "word" and token.text in _HELM_ONLY:
                raise TemplateError(f'template {shorten(text)}: function "{token.text}" not defined')
            if token.kind == "word" and token.text in _NESTED_TEMPLATES:
                raise TemplateError(
                    f"template {shorten(text)}: {token.text} is not supported in an ApplicationSet's template here",
                    hint="write the text of the nested template in its place",
                )
    if depth:
        raise TemplateError(f"template {shorten(text)}: unexpected EOF, {{{{end}}}} is missing")


def _actions(parts: list[str | Action]) -> Iterator[Action]:
    return (part for part in parts if isinstance(part, Action))


def for_helm(parts: list[str | Action], missing: str) -> str:
    """The template as helm must get it, so that it gives what Argo CD would give (see the module's first lines)."""
    return "".join(part if isinstance(part, str) else _rewritten(part, missing) for part in parts)


def _rewritten(action: Action, missing: str) -> str:
    done: list[str] = []
    slugs: list[int] = []
    depth = 0
    for index, (kind, piece) in enumerate(action.tokens):
        text = piece
        if text in ("|", ")") and kind == "other" and slugs and slugs[-1] == depth:
            done.append(' | include "argo.slugify" ')
            slugs.pop()
        depth += (kind == "other") * ((text == "(") - (text == ")"))
        if kind == "word" and text == "normalize":
            text = 'include "argo.normalize"'
        elif kind == "word" and text == "slugify":
            text = "list"
            slugs.append(depth)
        elif kind == "chain" and not (index and action.tokens[index - 1].text == ")"):
            text = _checked(text, missing)
        done.append(text)
    if slugs:
        done.append(' | include "argo.slugify"')
    return action.opening + "".join(done) + action.closing


def _checked(chain: str, missing: str) -> str:
    """A field chain with its check in front; ``and`` gives its last argument, unchanged, when the others are true."""
    base, *fields = chain.split(".")
    arguments = " ".join(f'"{field}"' for field in fields)
    if missing == "error":
        return f'(and (include "argo.need" (list {base or "."} {arguments})) {chain})'
    if missing == "invalid" and len(fields) > 1:
        return f'(and (or (include "argo.has" (list {base or "."} {arguments})) (index (dict) "")) {chain})'
    return chain


_ABSENT = object()


def simple(text: str, parts: list[str | Action], params: Mapping[str, Any], missing: str) -> str | None:
    """The rendered text of a template that only prints params, else None: then helm must do it.

    Field chains and ``index`` with literals, without trim markers, of strings, booleans and numbers.
    Raises TemplateError for a missing key under ``missing`` = ``error``.
    """
    done: list[str] = []
    for part in parts:
        if isinstance(part, str):
            if part.startswith("{{"):
                return None
            done.append(part)
            continue
        value = _simple_value(part, params)
        if value is _ABSENT and missing == "error" and part.words()[0].kind == "chain":
            raise TemplateError(f"template {shorten(text)}: map has no entry for a key of {part.words()[0].text}")
        if not isinstance(value, (str, bool, int, float)):
            return None
        done.append(go_text(value))
    return "".join(done)


def _simple_value(action: Action, params: Mapping[str, Any]) -> Any:
    """The value an action prints; ``_ABSENT`` for a missing key, None for what is not simple."""
    words = action.words()
    if action.opening != "{{" or action.closing != "}}" or not words:
        return None
    keys: list[Any] = []
    if words[0] == Token("word", "index") and len(words) > 2:
        if any(word.kind != "literal" or not re.fullmatch(r'"[\w./-]*"|\d{1,4}', word.text) for word in words[2:]):
            return None
        keys = [ast.literal_eval(word.text.lstrip("0") or "0") for word in words[2:]]
        chain = words[1]
    elif len(words) == 1:
        chain = words[0]
    else:
        return None
    base, *fields = chain.text.split(".")
    if chain.kind != "chain" or base not in ("", "$"):
        return None
    value: Any = params
    for key in [*fields, *keys]:
        if isinstance(value, Mapping) and isinstance(key, str):
            value = value.get(key, _ABSENT)
        elif isinstance(value, (list, tuple)) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return None
        if value is _ABSENT:
            return _ABSENT if key in fields else None
    return value
