"""Chart archives: Helm's own, and those that somebody made to hurt."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_bot.errors import FetchError
from gitops_bot.render.fetching.archive import Limits, tree_of, unpack

SMALL = Limits(size=4 << 20, file=1 << 20, files=50, ratio=100)


def member(name: str, content: bytes = b"x", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def of(files: Mapping[str, bytes]) -> bytes:
    return packed(*(member(f"chart/{path}", content) for path, content in files.items()))


def test_helms_own_archive_is_the_chart(packed_charts: Path) -> None:
    tree = unpack((packed_charts / "app-1.1.0.tgz").read_bytes(), "app")
    assert [path for path, entry in tree.entries.items() if entry.is_file] == [
        "Chart.yaml", "templates/configmap.yaml", "values.yaml",
    ]  # fmt: skip
    assert tree.read("values.yaml") == b"marker: 1.1.0\n"
    assert list(tree.children("")) == ["Chart.yaml", "templates", "values.yaml"]


NAMES = st.text("abc.", min_size=1, max_size=3).filter(lambda name: name.strip("."))
TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.binary(max_size=20), min_size=1, max_size=8
).filter(lambda files: not any(other.startswith(f"{path}/") for path in files for other in files))


@settings(deadline=None)
@given(TREES)
def test_what_was_packed_is_read_back(files: Mapping[str, bytes]) -> None:
    tree = unpack(of(files), "it")
    assert {path: tree.read(path) for path, entry in tree.entries.items() if entry.is_file} == files
    assert tree.oid == tree_of(files).oid
    assert all(tree.entry(path.rpartition("/")[0]).is_directory for path in tree.entries)


@settings(deadline=None)
@given(TREES, TREES)
def test_equal_ids_mean_equal_content(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> None:
    assert (tree_of(one).oid == tree_of(other).oid) == (one == other)


@pytest.mark.parametrize(("name", "why"), [
    ("chart/../../etc/passwd", "leads out"), ("../chart/a", "leads out"), ("chart/..", "leads out"),
    ("chart/a/../../../b", "leads out"), ("chart\\..\\..\\a", "leads out"), ("/etc/passwd", "absolute"),
    ("C:/windows/a", "absolute"), ("c:\\windows\\a", "absolute"), ("\\\\server\\a", "absolute"),
    ("a", "one top directory"), ("other/a", "one top directory"), ("chart/Chart.yaml", "twice"),
    ("./chart//Chart.yaml", "twice"), ("chart/Chart.yaml/a", "as a file and as a directory"),
])  # fmt: skip
def test_names_that_lead_astray_are_refused(name: str, why: str) -> None:
    with pytest.raises(FetchError, match=why) as caught:
        unpack(packed(member("chart/Chart.yaml"), member(name)), "the chart x 1.0.0")
    assert caught.value.message.startswith("the chart x 1.0.0 ")


@pytest.mark.parametrize(("kind", "why"), [
    (tarfile.SYMTYPE, "a link"), (tarfile.LNKTYPE, "a link"), (tarfile.CHRTYPE, "neither file"),
    (tarfile.BLKTYPE, "neither file"), (tarfile.FIFOTYPE, "neither file"),
])  # fmt: skip
def test_links_and_devices_are_refused(kind: bytes, why: str) -> None:
    with pytest.raises(FetchError, match=why):
        unpack(packed(member("chart/a", b"", type=kind, linkname="/etc/passwd")), "it")


def test_directories_and_executables_are_kept_apart() -> None:
    archive = packed(member("chart", b"", type=tarfile.DIRTYPE), member("chart/empty/", b"", type=tarfile.DIRTYPE),
                     member("chart/run.sh", mode=0o755), member("chart/plain", mode=0o644))  # fmt: skip
    assert {path: entry.mode for path, entry in unpack(archive, "it").entries.items()} == {
        "plain": "100644",
        "run.sh": "100755",
    }


def test_bombs_are_stopped_before_they_are_unpacked() -> None:
    bomb = of({"a": b"\0" * 3_900_000})
    assert len(bomb) < 10_000
    with pytest.raises(FetchError, match="100 times its own size"):
        unpack(bomb, "it", SMALL)
    with pytest.raises(FetchError, match="100 times its own size"):
        unpack(gzip.compress(b"\0" * 200_000_000, mtime=0), "it")
    noise = bytes((index * 7919 + index // 251) % 251 for index in range(200_000))
    with pytest.raises(FetchError, match="4 MiB"):
        unpack(gzip.compress(b"".join(bytes([index]) + noise for index in range(30)), 1), "it", SMALL)
    members = b"".join(gzip.compress(b"\0" * 900_000, mtime=0) for _ in range(3))
    with pytest.raises(FetchError, match="100 times its own size"):
        unpack(members, "it", SMALL)


def test_counts_and_sizes_are_limited() -> None:
    with pytest.raises(FetchError, match="more than 50 entries"):
        unpack(of({f"f{index}": b"" for index in range(51)}), "it", SMALL)
    with pytest.raises(FetchError, match="larger than 1 MiB"):
        unpack(packed(member("chart/a", bytes(range(256)) * 4097)), "it", SMALL._replace(ratio=10_000))


@pytest.mark.parametrize(
    "archive", [b"", b"PK\3\4", b"\x1f\x8b", gzip.compress(b"no tar", mtime=0), gzip.compress(b"", mtime=0)]
)
def test_what_is_no_archive_is_said(archive: bytes) -> None:
    with pytest.raises(FetchError):
        unpack(archive, "it")


def test_every_cut_of_an_archive_is_refused() -> None:
    whole = of({"Chart.yaml": b"name: x\n", "values.yaml": b"a: 1\n"})
    for end in range(0, len(whole), 7):
        with pytest.raises(FetchError):
            unpack(whole[:end], "it")


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_a_tree(data: bytes) -> None:
    for archive in (data, gzip.compress(data, mtime=0), of({"a": b"1"})[:-8] + data):
        tree = None
        with contextlib.suppress(FetchError):
            tree = unpack(archive, "it", SMALL)
        assert tree is None or tree.entries
