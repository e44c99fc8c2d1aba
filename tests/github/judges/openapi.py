"""The first judge: every exchange against GitHub's own OpenAPI.

Relaxed, because the description itself is looser or narrower than GitHub:

* a ``nullable`` enum may be null, although null is not in its list (``state_reason``);
* refusals that an operation does not list (400, 401, 403, 404, 405, 409, 422, 429) are held to the shape all refusals have;
* nothing is said of 5xx answers, which GitHub's balancer makes, nor of formats of strings;
* ``/repositories/{id}/…``, where GitHub's own links lead, is judged as ``/repos/{owner}/{repo}/…``;
* ``minimized`` and ``pin`` of a comment may be null;
* ``oneOf`` is read as ``anyOf``: its alternatives overlap (a refusal with and without details, a user and an enterprise);
* the list of an app's installations is one of installations as they are described alone (where an account is a user
  *or* an enterprise; the list's own description asks for both at once);
* labels of a pull request may be given as a bare list, as the description's own prose says;
* ``GET …/statuses/{sha}``, which GitHub serves and PyGithub calls, is judged as ``GET …/commits/{ref}/statuses``.

Stricter than the description: query parameters and fields of a body that the operation does not name are refused.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterator
from typing import Any

from tests.github.exchange import DROPPED, Exchange
from tests.github.judges import place
from tests.github.routing import ROUTES

_ROOT = "urn:github-openapi"
_LEFT_OUT = ("description", "example", "examples", "externalDocs", "title", "deprecated", "summary", "discriminator")
_REFUSALS = (400, 401, 403, 404, 405, 409, 422, 429)
_REFUSAL = {
    "type": "object", "required": ["message"],
    "properties": {
        "message": {"type": "string"}, "documentation_url": {"type": "string"}, "status": {"type": "string"},
        "errors": {"type": "array"},
    },
}  # fmt: skip
_ALIASES = {"GET /repos/{owner}/{repo}/statuses/{sha}": "GET /repos/{owner}/{repo}/commits/{ref}/statuses"}
_GIT = re.compile(r"/[^/]+/[^/]+/(info/refs|git-upload-pack|git-receive-pack)")


def _schema(node: Any) -> Any:
    """OpenAPI 3.0's dialect as JSON Schema."""
    if isinstance(node, list):
        return [_schema(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {
        name: {key: _schema(value) for key, value in each.items()} if name == "properties" else _schema(each)
        for name, each in node.items()
        if name not in _LEFT_OUT and not name.startswith("x-") and name != "nullable"
    }
    for name in ("exclusiveMinimum", "exclusiveMaximum"):
        if isinstance(made.get(name), bool):
            del made[name]
    if "oneOf" in made:
        made["anyOf"] = made.pop("oneOf")
    if "$ref" in made:
        made["$ref"] = made["$ref"].replace("#/components/", f"{_ROOT}#/components/")
    return _nullable(made) if node.get("nullable") else made


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(schema.get("type"), str) or not schema.keys().isdisjoint(("allOf", "anyOf", "$ref")):
        return {"anyOf": [schema, {"type": "null"}]}
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    return {**schema, "type": [schema["type"], "null"]}


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for each in node:
            yield from _references(each)
    elif isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].rpartition("/")[2]
        for each in node.values():
            yield from _references(each)


class _Trimmer:
    """Takes from the whole description what the fake serves."""

    def __init__(self, whole: dict[str, Any]) -> None:
        self._whole = whole

    def _look_up(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            found: Any = self._whole
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    @staticmethod
    def _content(node: dict[str, Any]) -> Any:
        content = node.get("content") or {}
        return (
            _schema(content["application/json"]["schema"]) if "schema" in content.get("application/json", {}) else None
        )

    def _operation(self, path: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
        given = [self._look_up(each) for each in [*path.get("parameters", []), *operation.get("parameters", [])]]
        query = {one["name"]: _schema(one.get("schema") or {}) for one in given if one["in"] == "query"}
        body = self._look_up(operation.get("requestBody") or {})
        answers = {status: self._look_up(each) for status, each in operation["responses"].items()}
        return {
            "query": query, "body": self._content(body), "body_required": bool(body.get("required")),
            "answers": {status: self._content(each) for status, each in answers.items()},
        }  # fmt: skip

    def trim(self) -> dict[str, Any]:
        """Operations of the fake's routes, the schemas they reach, and the templates of everything GitHub has."""
        paths, everything = self._whole["paths"], []
        verbs = ("get", "post", "put", "patch", "delete")
        for template, path in paths.items():
            everything += [f"{verb.upper()} {template}" for verb in verbs if verb in path]
        operations = {
            f"{one.method} {one.template}": self._operation(paths[one.template], paths[one.template][one.method.lower()])
            for one in ROUTES if one.method.lower() in paths.get(one.template, {})
        }  # fmt: skip
        _relax_operations(operations)
        schemas: dict[str, Any] = {}
        wanted = list(_references(operations))
        while wanted:
            name = wanted.pop()
            if name not in schemas:
                schemas[name] = _schema(self._whole["components"]["schemas"][name])
                wanted += _references(schemas[name])
        _relax(schemas)
        return {"operations": operations, "schemas": schemas, "everything": sorted(everything)}


def _relax_operations(operations: dict[str, Any]) -> None:
    for method in ("POST", "PUT"):
        labels = operations[f"{method} /repos/{{owner}}/{{repo}}/issues/{{issue_number}}/labels"]
        labels["body"] = {"anyOf": [labels["body"], {"type": "array", "items": {"type": "string"}}]}
    installations = operations["GET /app/installations"]["answers"]
    installations["200"] = {"type": "array", "items": {"$ref": f"{_ROOT}#/components/schemas/installation"}}


def _relax(schemas: dict[str, Any]) -> None:
    """What the description says too narrowly; each is told at the top of this module."""
    for name in ("minimized", "pin"):
        known = schemas.get("issue-comment", {}).get("properties", {})
        if name in known:
            known[name] = {"anyOf": [known[name], {"type": "null"}]}


def trimmed() -> dict[str, Any]:
    """The trimmed description, from the cache where it was made before."""
    assert place.FOLDER is not None
    source = place.FOLDER / "api.github.com.json"
    depends = inspect.getsource(sys.modules[__name__]) + "".join(f"{one.method} {one.template}\n" for one in ROUTES)
    return place.derived("openapi", depends, lambda: _Trimmer(json.loads(source.read_bytes())).trim())


class OpenApiJudge:
    """Holds exchanges to GitHub's OpenAPI."""

    def __init__(self) -> None:
        from referencing import Registry
        from referencing.jsonschema import DRAFT202012

        found = trimmed()
        self.operations: dict[str, Any] = found["operations"]
        self._schemas: dict[str, Any] = found["schemas"]
        self._everything: list[str] = found["everything"]
        self._patterns: list[tuple[str, re.Pattern[str]]] | None = None
        document = {"components": {"schemas": self._schemas}}
        self._registry: Any = Registry().with_resource(_ROOT, DRAFT202012.create_resource(document))
        self._validators: dict[str, Any] = {}

    def __call__(self, exchange: Exchange) -> list[str]:
        """What the exchange does that GitHub's description does not know."""
        if exchange.path in ("/graphql", "/api/graphql") or _GIT.fullmatch(exchange.path):
            return []
        if exchange.route is None:
            return [self._unknown(exchange)]
        key = f"{exchange.method} {exchange.route.template}"
        key = _ALIASES.get(key, key)
        operation = self.operations.get(key)
        if operation is None:
            return [f"GitHub has no {key}"]
        said = [*self._query(exchange, operation, key), *self._body(exchange, operation, key)]
        return [*said, *self._answer(exchange, operation, key)]

    def _unknown(self, exchange: Exchange) -> str:
        if self._patterns is None:
            self._patterns = [
                (one, re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(one)))) for one in self._everything
            ]
        asked = f"{exchange.method} {exchange.path}"
        asked = re.sub(r" /repositories/\d+", " /repos/owner/name", asked)
        for one, pattern in self._patterns:
            if pattern.fullmatch(asked):
                return f"the fake does not serve {one} yet"
        return "GitHub has no such operation"

    def _check(self, key: str, schema: Any, value: Any) -> list[str]:
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import best_match

        if key not in self._validators:
            self._validators[key] = Draft202012Validator(schema, registry=self._registry)
        error = best_match(self._validators[key].iter_errors(value))
        return [] if error is None else [f"{key.partition(' ')[0]}: {error.json_path} {error.message[:200]}"]

    def _query(self, exchange: Exchange, operation: dict[str, Any], key: str) -> Iterator[str]:
        for name, value in exchange.request.query.items():
            schema = operation["query"].get(name)
            if schema is None:
                yield f"request: GitHub knows no parameter {name}"
                continue
            kinds = schema.get("type")
            typed: Any = value
            if kinds == "integer" and re.fullmatch(r"-?\d+", value):
                typed = int(value)
            elif kinds == "boolean" and value in ("true", "false"):
                typed = value == "true"
            elif kinds == "array":
                typed = value.split(",")
            yield from self._check(f"request {key} ?{name}", schema, typed)

    def _body(self, exchange: Exchange, operation: dict[str, Any], key: str) -> Iterator[str]:
        if not exchange.request.body.strip():
            if operation["body_required"]:
                yield "request: the body is missing"
            return
        try:
            body = json.loads(exchange.request.body)
        except ValueError:
            yield "request: the body is no JSON"
            return
        if operation["body"] is None:
            if body not in ({}, None):
                yield "request: GitHub takes no body here"
            return
        yield from self._check(f"request {key}", operation["body"], body)
        known = self._names(operation["body"])
        if isinstance(body, dict) and known is not None:
            yield from (f"request: GitHub knows no field {name}" for name in sorted(set(body) - known))

    def _names(self, schema: dict[str, Any]) -> set[str] | None:
        """The names a body's object may have; None when it may have any."""
        if "$ref" in schema:
            return self._names(self._schemas[schema["$ref"].rpartition("/")[2]])
        if schema.get("additionalProperties") not in (None, False):
            return None
        found = set(schema.get("properties", {}))
        for part in (each for word in ("allOf", "anyOf", "oneOf") for each in schema.get(word, [])):
            names = self._names(part)
            if names is None:
                return None
            found |= names
        return found

    def _answer(self, exchange: Exchange, operation: dict[str, Any], key: str) -> list[str]:
        status, body = exchange.status, exchange.answer.body
        if status == DROPPED or status >= 500:
            return []
        known = operation["answers"]
        if str(status) in known:
            schema = known[str(status)]
            if schema is None:
                return [] if body is None else [f"answer: GitHub gives no body with {status}"]
            return self._check(f"answer {status} {key}", schema, body)
        if status in _REFUSALS:
            return self._check("answer refusal", _REFUSAL, body)
        return [f"answer: GitHub does not answer {status} here"]
