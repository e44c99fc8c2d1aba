"""The second judge: every GraphQL query, its variables and its answer against GitHub's GraphQL schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import graphql as core
from graphql.execution.values import get_variable_values

from tests.github.exchange import Exchange
from tests.github.graphql import ENDPOINTS
from tests.github.judges import place

_SCALARS: dict[str, tuple[type, ...]] = {
    "Int": (int,), "Float": (int, float), "String": (str,), "ID": (str,), "Boolean": (bool,), "URI": (str,),
    "DateTime": (str,), "GitObjectID": (str,), "Base64String": (str,), "HTML": (str,), "BigInt": (str, int),
}  # fmt: skip


class SchemaJudge:
    """Holds queries to GitHub's schema."""

    def __init__(self) -> None:
        assert place.FOLDER is not None
        document = core.parse((place.FOLDER / "schema.graphql").read_text(), no_location=True)
        self._schema: core.GraphQLSchema = core.build_ast_schema(document, assume_valid=True, assume_valid_sdl=True)
        self._verdicts: dict[str, list[str]] = {}

    def __call__(self, exchange: Exchange) -> list[str]:
        """What the query asks that GitHub's schema does not have, and what the answer gives amiss."""
        if exchange.path not in ENDPOINTS or exchange.method != "POST":
            return []
        try:
            asked = json.loads(exchange.request.body)
            text, variables = str(asked["query"]), asked.get("variables") or {}
        except (ValueError, KeyError, TypeError):
            return ["query: the body is no GraphQL request"]
        try:
            document = core.parse(text)
        except core.GraphQLError as error:
            return [f"query: {error.message}"]
        if text not in self._verdicts:
            self._verdicts[text] = [f"query: {error.message}" for error in core.validate(self._schema, document)]
        said = list(self._verdicts[text])
        if not said:
            said += self._variables(document, variables)
        if not said and exchange.status == 200 and isinstance(exchange.answer.body, dict):
            said += self._answer(document, exchange.answer.body)
        return said

    def _operation(self, document: core.DocumentNode) -> core.OperationDefinitionNode:
        return next(one for one in document.definitions if isinstance(one, core.OperationDefinitionNode))

    def _variables(self, document: core.DocumentNode, variables: dict[str, Any]) -> list[str]:
        defined = self._operation(document).variable_definitions or ()
        known = {one.variable.name.value for one in defined}
        unused = [f"query: it has no variable {name}" for name in sorted(set(variables) - known)]
        found = get_variable_values(self._schema, defined, variables)
        return unused + ([f"query: {error.message}" for error in found] if isinstance(found, list) else [])

    def _answer(self, document: core.DocumentNode, body: dict[str, Any]) -> list[str]:
        operation = self._operation(document)
        fragments = {
            one.name.value: one for one in document.definitions if isinstance(one, core.FragmentDefinitionNode)
        }
        if body.get("data") is None:
            return [] if body.get("errors") else ["answer: neither data nor errors"]
        if body.get("errors"):
            return []  # GitHub gives null where it refuses, too
        root = self._schema.get_root_type(operation.operation)
        return list(self._object(root, body["data"], operation.selection_set, fragments, "data"))

    def _object(
        self, kind: Any, value: dict[str, Any], selections: core.SelectionSetNode, fragments: dict[str, Any], path: str
    ) -> Iterator[str]:
        for one in selections.selections:
            if isinstance(one, core.FieldNode):
                name = (one.alias or one.name).value
                field = kind.fields.get(one.name.value) if hasattr(kind, "fields") else None
                if name not in value:
                    yield f"answer: {path}.{name} is missing"
                elif field is not None:
                    yield from self._value(field.type, value[name], one.selection_set, fragments, f"{path}.{name}")
                continue
            part = fragments[one.name.value] if isinstance(one, core.FragmentSpreadNode) else one
            wanted = part.type_condition and part.type_condition.name.value
            if wanted in (None, getattr(kind, "name", "")):
                yield from self._object(kind, value, part.selection_set, fragments, path)

    def _value(self, kind: Any, value: Any, selections: Any, fragments: dict[str, Any], path: str) -> Iterator[str]:
        if isinstance(kind, core.GraphQLNonNull):
            if value is None:
                yield f"answer: {path} may not be null"
            kind = kind.of_type
        if value is None:
            return
        if isinstance(kind, core.GraphQLList) and isinstance(value, list):
            for at, each in enumerate(value):
                yield from self._value(kind.of_type, each, selections, fragments, f"{path}[{at}]")
        elif core.is_composite_type(kind) and isinstance(value, dict):
            yield from self._object(kind, value, selections, fragments, path)
        elif not core.is_leaf_type(kind) or not _fits(kind, value):
            yield f"answer: {path} is {value!r}, no {kind}"


def _fits(kind: Any, value: Any) -> bool:
    if isinstance(kind, core.GraphQLEnumType):
        return value in kind.values
    if isinstance(value, bool):
        return kind.name == "Boolean"
    return isinstance(value, _SCALARS.get(kind.name, (object,)))
