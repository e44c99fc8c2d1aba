"""Label selectors over params: which of a generator's Applications are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitops_bot.errors import RenderError


def matches(selector: Any, params: Mapping[str, str]) -> bool:
    """Whether flattened params satisfy a Kubernetes label selector; None and an empty one match everything.

    Raises RenderError for a selector that is none.
    """
    if selector is None:
        return True
    if not isinstance(selector, Mapping):
        raise RenderError("a generator's selector is not a mapping")
    labels = selector.get("matchLabels") or {}
    expressions = selector.get("matchExpressions") or []
    if not isinstance(labels, Mapping) or not isinstance(expressions, list):
        raise RenderError("a generator's selector takes matchLabels (a mapping) and matchExpressions (a list)")
    return all(params.get(key) == value for key, value in labels.items()) and all(
        _satisfied(expression, params) for expression in expressions
    )


def _satisfied(expression: Any, params: Mapping[str, str]) -> bool:
    if not isinstance(expression, Mapping):
        raise RenderError("a generator's selector has a matchExpressions entry that is not a mapping")
    key, operator, values = (expression.get(name) for name in ("key", "operator", "values"))
    match operator:
        case "In":
            return params.get(str(key)) in (values or [])
        case "NotIn":
            return params.get(str(key)) not in (values or [])
        case "Exists":
            return key in params
        case "DoesNotExist":
            return key not in params
    raise RenderError(f"a generator's selector has the unknown operator {operator}")
