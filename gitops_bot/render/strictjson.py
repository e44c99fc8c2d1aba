"""JSON files of a repository, read as strictly as our YAML: a duplicate key is an error."""

from __future__ import annotations

import json
from typing import Any


class JsonError(ValueError):
    """A text that is not JSON, or has a key twice: one sentence, never a value."""


def load_json(data: bytes) -> Any:
    """The value of a JSON text. Raises JsonError."""
    try:
        return json.loads(data, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise JsonError(f"line {error.lineno}: {error.msg}") from None
    except UnicodeDecodeError:
        raise JsonError("text that is not UTF-8") from None
    except RecursionError:
        raise JsonError("nested too deeply") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise JsonError(f"the key {twice} is there twice")
    return found
