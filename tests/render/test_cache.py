"""The cache saves time and is never believed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitops_bot.render.cache import Cache

KEY, OTHER = "ab" * 32, "cd" * 32
CONTENT = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


def entries(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    Cache(tmp_path).put(KEY, CONTENT)
    assert Cache(tmp_path).get(KEY) == CONTENT
    assert Cache(tmp_path).get(OTHER) is None


@pytest.mark.parametrize("position", [0, 25, 60, 95, -1])
def test_an_entry_that_was_tampered_with_is_dropped(tmp_path: Path, position: int) -> None:
    cache = Cache(tmp_path)
    cache.put(KEY, CONTENT * 3)
    (entry,) = entries(tmp_path)
    data = bytearray(entry.read_bytes())
    data[position] ^= 1
    entry.write_bytes(data)
    assert cache.get(KEY) is None
    assert entries(tmp_path) == []


def test_an_entry_under_another_key_is_not_believed(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put(KEY, CONTENT)
    (entry,) = entries(tmp_path)
    moved = tmp_path / "render" / OTHER[:2] / OTHER
    moved.parent.mkdir()
    entry.rename(moved)
    assert cache.get(OTHER) is None


@pytest.mark.parametrize(
    "secret",
    [
        b"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: aHVudGVyMg==}\n",
        b'{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "hunter2"}}\n',
        b"apiVersion: v1\nkind: List\nitems:\n- 'kind': \"Secret\"\n  stringData: {a: hunter2}\n",
    ],
)
def test_a_render_with_secret_data_is_never_kept(tmp_path: Path, secret: bytes) -> None:
    Cache(tmp_path).put(KEY, CONTENT + b"---\n" + secret)
    assert entries(tmp_path) == []


def test_without_a_directory_nothing_is_kept() -> None:
    cache = Cache(None)
    cache.put(KEY, CONTENT)
    assert cache.get(KEY) is None
    cache.trim()


def test_a_directory_that_cannot_be_written_only_costs_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file")
    cache.put(KEY, CONTENT)
    assert cache.get(KEY) is None


def test_trimming_removes_what_was_unused_for_longest(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for age, key in enumerate((KEY, OTHER)):
        cache.put(key, CONTENT)
        (entry,) = [path for path in entries(tmp_path) if path.name == key]
        os.utime(entry, (1_000_000 + age, 1_000_000 + age))
    cache.get(KEY)
    size = entries(tmp_path)[0].stat().st_size
    cache.trim(limit=size)
    assert [path.name for path in entries(tmp_path)] == [KEY]
