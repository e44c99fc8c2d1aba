"""``ignoreDifferences``: which rules apply to an object, and the object without what they hide."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from gitops_bot.model.application import IgnoreDifference
from gitops_bot.model.resource import ResourceKey

DeleteJq = Callable[[Sequence[str], Sequence[dict[str, Any]]], Sequence[dict[str, Any]]]
"""Takes jq path expressions and objects; returns each object without what the expressions select."""


def applicable(rules: Sequence[IgnoreDifference], key: ResourceKey) -> tuple[IgnoreDifference, ...]:
    """The rules for an object: group and kind are globs (no group means core), name and namespace exact."""
    return tuple(
        rule
        for rule in rules
        if fnmatchcase(key.group, rule.group)
        and fnmatchcase(key.kind, rule.kind)
        and rule.name in (None, "", key.name)
        and rule.namespace in (None, "", key.namespace)
    )


def expressions(rules: Sequence[IgnoreDifference]) -> tuple[str, ...]:
    """All jq path expressions of some rules, in order, each once."""
    return tuple(dict.fromkeys(each for rule in rules for each in rule.jq_path_expressions))


def hide(
    bodies: Sequence[dict[str, Any]], rules: Sequence[IgnoreDifference], delete_jq: DeleteJq | None
) -> list[dict[str, Any]]:
    """The objects without what the rules hide; new values. Without ``delete_jq`` jq expressions hide nothing."""
    result = [copy.deepcopy(body) for body in bodies]
    for rule in rules:
        for pointer in rule.json_pointers:
            for body in result:
                remove(body, pointer)
    filters = expressions(rules)
    return list(delete_jq(filters, result)) if filters and delete_jq is not None else result


def remove(body: Any, pointer: str) -> None:
    """Remove what a JSON pointer (RFC 6901) names, in place; a pointer to nothing removes nothing."""
    if not pointer.startswith("/"):
        return
    *parents, last = (part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/"))
    for part in parents:
        if isinstance(body, dict):
            body = body.get(part)
        elif isinstance(body, list) and _is_index(part) and int(part) < len(body):
            body = body[int(part)]
        else:
            return
    if isinstance(body, dict):
        body.pop(last, None)
    elif isinstance(body, list) and _is_index(last) and int(last) < len(body):
        del body[int(last)]


def _is_index(part: str) -> bool:
    return part.isascii() and part.isdigit() and len(part) < 10 and (part == "0" or part[0] != "0")
