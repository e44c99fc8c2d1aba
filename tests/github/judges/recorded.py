"""The third judge: answers carry at least the keys of GitHub's real answers that PyGithub recorded.

For each route and status: the keys that *every* recorded answer has (some keys depend on who asks), and the JSON types
that any of them has. Recordings of 2023 and later decide; where a route has only older ones, the newest year's do.

Relaxed:

* a null on either side fits any type: which fields are nullable is the first judge's business;
* what an answer is as a whole (an object or a list) may be what it was in any year: a folder's contents are a list;
* names of permissions that an app has and the keys of a payload are data, not shape.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.github.exchange import Exchange
from tests.github.judges import place
from tests.github.routing import ROUTES, find

RECENT = 2023
_COMMENT = "GET /repos/{owner}/{repo}/issues/comments/{comment_id} 200"
_PULL = "GET /repos/{owner}/{repo}/pulls/{pull_number} 200"
_ALIKE = {
    "POST /repos/{owner}/{repo}/issues/{issue_number}/comments 201": _COMMENT,
    "PATCH /repos/{owner}/{repo}/issues/comments/{comment_id} 200": _COMMENT,
    "POST /repos/{owner}/{repo}/pulls 201": _PULL,
    "PATCH /repos/{owner}/{repo}/pulls/{pull_number} 200": _PULL,
}
"""Answers that show the same thing; where a route's own recordings are old, the newer ones of the other decide."""
Shape = dict[str, Any]
"""``types``: names of JSON types seen; ``keys``: what every object had, each with its shape; ``items``: of a list."""
_SCHEMES = ("https", "http")


class Recording(NamedTuple):
    year: int
    method: str
    path: str
    status: int
    body: Any


def recordings(folder: Path) -> Iterator[Recording]:
    """All exchanges with a JSON answer; eleven lines each, as PyGithub's tests write them."""
    for file in sorted(folder.glob("*.txt")):
        lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
        at = 0
        while at + 9 < len(lines):
            if lines[at] not in _SCHEMES or not lines[at + 7].isdigit():
                at += 1
                continue
            method, target, status, headers, body = (
                lines[at + 1],
                lines[at + 4],
                lines[at + 7],
                lines[at + 8],
                lines[at + 9],
            )
            at += 11
            date = re.search(r"'date', '[^']*?(20\d\d)", headers, re.IGNORECASE)
            if body[:1] in ("{", "["):
                try:
                    content = json.loads(body)
                except ValueError:
                    continue
                yield Recording(int(date[1]) if date else 0, method, target.partition("?")[0], int(status), content)


def type_of(value: Any) -> str:
    """The name of a value's JSON type."""
    if isinstance(value, bool):
        return "boolean"
    names = {dict: "object", list: "array", str: "string", int: "number", float: "number", type(None): "null"}
    return names[type(value)]


def shape_of(value: Any) -> Shape:
    """The shape of one value."""
    made: Shape = {"types": [type_of(value)]}
    if isinstance(value, dict):
        made["keys"] = {name: shape_of(each) for name, each in value.items()}
    if isinstance(value, list) and value:
        items = shape_of(value[0])
        for each in value[1:]:
            items = merged(items, shape_of(each))
        made["items"] = items
    return made


def merged(one: Shape, other: Shape) -> Shape:
    """What holds for both: all types, the common keys."""
    made: Shape = {"types": sorted({*one["types"], *other["types"]})}
    if "keys" in one and "keys" in other:
        common = one["keys"].keys() & other["keys"].keys()
        made["keys"] = {name: merged(one["keys"][name], other["keys"][name]) for name in sorted(common)}
    elif "keys" in one or "keys" in other:
        made["keys"] = one["keys"] if "keys" in one else other["keys"]
    if "items" in one and "items" in other:
        made["items"] = merged(one["items"], other["items"])
    elif "items" in one or "items" in other:
        made["items"] = one["items"] if "items" in one else other["items"]
    return made


def _learn() -> dict[str, Any]:
    assert place.FOLDER is not None
    seen: dict[str, dict[int, Shape]] = {}
    for one in recordings(place.FOLDER / "recorded"):
        path = re.sub(r"^/repositories/\d+", "/repos/owner/name", one.path.removeprefix("/api/v3"))
        found = find(one.method, path)
        if found is not None:
            years = seen.setdefault(f"{one.method} {found[0].template} {one.status}", {})
            shape = shape_of(one.body)
            years[one.year] = merged(years[one.year], shape) if one.year in years else shape
    learnt = {}
    for key, years in sorted(seen.items()):
        newest = max(years)
        shape = years[newest]
        for year, other in years.items():
            if year != newest and year >= RECENT:
                shape = merged(shape, other)
        kinds = sorted({kind for other in years.values() for kind in other["types"]})
        learnt[key] = {"year": newest, "shape": {**shape, "types": kinds}}
    for key, other in _ALIKE.items():
        if other in learnt and learnt.get(key, {"year": 0})["year"] < RECENT:
            learnt[key] = learnt[other]
    return learnt


class RecordedJudge:
    """Holds answers to the recorded ones."""

    def __init__(self) -> None:
        depends = inspect.getsource(sys.modules[__name__]) + "".join(f"{one.method} {one.template}\n" for one in ROUTES)
        self.learnt: dict[str, Any] = place.derived("recorded", depends, _learn)

    def __call__(self, exchange: Exchange) -> list[str]:
        """The keys that are missing and the values of another type."""
        if exchange.route is None or not isinstance(exchange.answer.body, (dict, list)):
            return []
        known = self.learnt.get(f"{exchange.method} {exchange.route.template} {exchange.status}")
        if known is None:
            return []
        return [f"recorded {known['year']}: {said}" for said in _compare(known["shape"], exchange.answer.body, "$")]


def _compare(shape: Shape, value: Any, path: str) -> Iterator[str]:
    kind = type_of(value)
    real = [each for each in shape["types"] if each != "null"]
    if kind != "null" and real and kind not in real:
        yield f"{path} is {kind}, GitHub's was {' or '.join(real)}"
        return
    if isinstance(value, dict):
        for name, inner in shape.get("keys", {}).items():
            if path.endswith(".payload") or (path.endswith(".permissions") and "pull" not in shape["keys"]):
                continue
            if name not in value:
                yield f"{path}.{name} is missing"
            else:
                yield from _compare(inner, value[name], f"{path}.{name}")
    if isinstance(value, list) and "items" in shape:
        for place_, each in enumerate(value[:3]):
            yield from _compare(shape["items"], each, f"{path}[{place_}]")
