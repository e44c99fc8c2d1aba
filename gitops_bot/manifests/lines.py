"""On which line a part of a YAML file stands: for messages about a file that was read already."""

from __future__ import annotations

from typing import Any

import yaml
from yaml import MappingNode, Node, SequenceNode


def lines_of(data: bytes) -> dict[str, int]:
    """Path (``images[0].write[1].file``) → line of its key or list item, 1 for the first; aliases are not followed.

    ``data`` must be one that ``manifests.yaml.load`` took; empty for one that cannot be composed.
    """
    try:
        root = yaml.compose(data, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return {}
    found: dict[str, int] = {}
    todo: list[tuple[str, Any]] = [("", root)]
    seen: set[int] = set()
    while todo:
        path, node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        for name, child, line in _children(node):
            here = name if not path or name.startswith("[") else f".{name}"
            found[path + here] = line
            todo.append((path + here, child))
    return found


def _children(node: Node | None) -> list[tuple[str, Node, int]]:
    if isinstance(node, MappingNode):
        return [(str(key.value), value, key.start_mark.line + 1) for key, value in node.value]
    if isinstance(node, SequenceNode):
        return [(f"[{index}]", item, item.start_mark.line + 1) for index, item in enumerate(node.value)]
    return []
