"""Whether an edit did what it should and nothing else, told without the editor's own reading of YAML."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.writeback.editor import readers
from tests.writeback.editor.readers import GoYaml

Path = Sequence[object]


def every_reader(goyaml: GoYaml, data: bytes) -> dict[str, list[Any]]:
    """Every document by reader; a reader that cannot read the stream is left out."""
    found: dict[str, list[Any]] = {}
    reading: Mapping[str, Callable[[bytes], list[Any]]] = {"PyYAML": readers.pyyaml, "ruamel.yaml": readers.ruamel}
    for name, read in reading.items():
        try:
            found[name] = unshared(read(data))
        except Exception:  # noqa: BLE001 - what a reader cannot read it cannot judge; Go's judge everything
            continue
    for name, answer in goyaml.answers([data])[0].items():
        if "documents" in answer:
            found[name] = answer["documents"]
    return found


def unshared(value: Any) -> Any:
    """A copy in which nothing stands in two places, with keys as texts."""
    if isinstance(value, dict):
        return {str(key): unshared(below) for key, below in value.items()}
    return [unshared(below) for below in value] if isinstance(value, list) else value


def judge(goyaml: GoYaml, before: bytes, after: bytes, changed: Mapping[tuple[object, ...], Any]) -> set[str]:
    """The readers that agree: they read the same as before, but at these paths (a document's index first) the new.

    A reader that could read the file before must be able to afterwards.
    """
    old, new = every_reader(goyaml, before), every_reader(goyaml, after)
    assert {"kubernetes", "yaml3"} <= set(old), f"Go cannot read {before!r}"
    for name, documents in old.items():
        assert name in new, f"{name} can no longer read it:\n{after.decode('utf-8', 'replace')}"
        for path, value in changed.items():
            *above, last = path
            holder = readers.get(documents, above)
            if isinstance(holder, list):
                holder[int(str(last))] = value
            else:
                holder[str(last)] = value
        assert same(new[name], documents), (
            f"{name} reads {new[name]!r}\ninstead of {documents!r}\nin\n{after.decode('utf-8', 'replace')}"
        )
    return set(old)


def same(one: Any, other: Any) -> bool:
    """Equal in type too: 1 is not True, and not 1.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) or (one != one and other != other)  # noqa: PLR0124 - not-a-number is itself here
