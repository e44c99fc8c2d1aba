"""GraphQL: a query is parsed by graphql-core and answered field by field from plain values.

A value is a dictionary with its ``__typename``; a field that takes arguments or costs something is a function of them.
What is not here is answered as GitHub answers an unknown field, so a test sees at once that the fake lacks it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.github.exchange import Answer, Refusal, Request
from tests.github.server import credentials
from tests.github.state import Comment, Pull, Repository
from tests.github.tokens import Token

if TYPE_CHECKING:
    from tests.github.fake import FakeGitHub

ENDPOINTS = ("/graphql", "/api/graphql")
Value = dict[str, Any]


class QueryFailed(Exception):
    """One entry of a GraphQL answer's errors."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def is_endpoint(request: Request) -> bool:
    """Whether a request is for GraphQL."""
    return request.path in ENDPOINTS


def is_query(request: Request) -> bool:
    """Whether a request asks GraphQL something and changes nothing."""
    if not is_endpoint(request):
        return False
    try:
        text = str((json.loads(request.body or b"{}") or {}).get("query", ""))
    except (ValueError, AttributeError):
        return False
    return not text.lstrip().startswith("mutation")


def answer(github: FakeGitHub, request: Request) -> tuple[Answer, str]:
    """The answer to a GraphQL request, and the login it was given to."""
    value = credentials(request.headers)
    try:
        if request.method != "POST":
            raise Refusal(404, "Not Found")
        if value is None:
            raise Refusal(401, "This endpoint requires you to be authenticated.")
        token = github.tokens.find(value)
        asked = request.json() or {}
    except Refusal as refusal:
        return refusal.answer, ""
    return Answer(
        200, Execution(github, token, asked.get("variables") or {}).run(str(asked.get("query", "")))
    ), token.login


class Execution:
    """One query of one caller."""

    def __init__(self, github: FakeGitHub, token: Token, variables: Value) -> None:
        self.github = github
        self.token = token
        self.variables = variables
        self.errors: list[Value] = []
        self.fragments: dict[str, Any] = {}

    def run(self, text: str) -> Value:
        """The whole answer: data, errors, or both."""
        from graphql import FragmentDefinitionNode, GraphQLError, OperationDefinitionNode, parse

        try:
            document = parse(text)
        except GraphQLError as error:
            return {"errors": [{"message": error.message}]}
        self.fragments = {
            one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)
        }
        operation = next(one for one in document.definitions if isinstance(one, OperationDefinitionNode))
        for definition in operation.variable_definitions or ():
            if definition.default_value is not None:
                self.variables.setdefault(definition.variable.name.value, self._argument(definition.default_value))
        from tests.github import mutations, objects

        kind = operation.operation.value
        root = mutations.root(self) if kind == "mutation" else objects.root(self)
        data = self._select(root, operation.selection_set, ())
        unknown = any(error.get("extensions") for error in self.errors)
        return (
            {"errors": self.errors} if unknown else {"data": data, **({"errors": self.errors} if self.errors else {})}
        )

    def _select(self, value: Value, selections: Any, path: tuple[str, ...]) -> Value:
        found: Value = {}
        for one in selections.selections:
            kind = one.kind
            if kind == "field":
                name = (one.alias or one.name).value
                found[name] = self._field(value, one, (*path, name))
                continue
            part = self.fragments[one.name.value] if kind == "fragment_spread" else one
            wanted = part.type_condition.name.value if part.type_condition else value["__typename"]
            if wanted in (value["__typename"], *value.get("__interfaces", ())):
                found |= self._select(value, part.selection_set, path)
        return found

    def _field(self, value: Value, field: Any, path: tuple[str, ...]) -> Any:
        name = field.name.value
        if name not in value or name == "__interfaces":
            kind = value["__typename"]
            where = {"code": "undefinedField", "typeName": kind, "fieldName": name}
            message = f"Field '{name}' doesn't exist on type '{kind}'"
            self.errors.append({"path": list(path), "extensions": where, "message": message})
            return None
        got = value[name]
        try:
            if callable(got):
                got = got(**{each.name.value: self._argument(each.value) for each in field.arguments})
        except QueryFailed as error:
            self.errors.append({"type": error.kind, "path": list(path), "message": str(error)})
            return None
        return self._complete(got, field, path)

    def _complete(self, got: Any, field: Any, path: tuple[str, ...]) -> Any:
        if isinstance(got, list):
            return [self._complete(each, field, path) for each in got]
        if isinstance(got, dict) and "__typename" in got:
            return self._select(got, field.selection_set, path)
        return got

    def _argument(self, node: Any) -> Any:
        if node.kind == "variable":
            return self.variables.get(node.name.value)
        if node.kind == "list_value":
            return [self._argument(each) for each in node.values]
        if node.kind == "object_value":
            return {each.name.value: self._argument(each.value) for each in node.fields}
        if node.kind == "null_value":
            return None
        return int(node.value) if node.kind == "int_value" else node.value

    # -- for resolvers -------------------------------------------------------------------------------------------------

    def demand(self, *needs: str) -> None:
        """Refuse a caller that has none of these permissions."""
        if not any(self.token.may(each) for each in needs):
            raise QueryFailed("FORBIDDEN", str(self.token.refused().answer.body["message"]))

    def node(self, node_id: str) -> Comment | Pull | Repository:
        """The object of a global id."""
        for repository in self.github.state.repositories.values():
            for one in (repository, *repository.pulls.values(), *repository.comments.values()):
                if one.node_id == node_id:
                    return one
        raise QueryFailed("NOT_FOUND", f"Could not resolve to a node with the global id of '{node_id}'")


Resolver = Callable[..., Any]
