"""Parts of objects that may hold anything: the answer is something empty where the type is another one.

Objects come from a repository that may mean harm, and parts may be ``manifests.yaml.Unchanged``. Pure.
"""

from __future__ import annotations

from typing import Any


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    """The value if it is a text, else ``""``."""
    return value if isinstance(value, str) else ""


def texts(value: Any) -> list[str]:
    """The texts of a list; whatever else it holds is left out."""
    return [item for item in items(value) if isinstance(item, str)]


def at(value: Any, *keys: str) -> Any:
    """What stands under these keys, None where a mapping or a key is missing."""
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value
