"""A repository's index: the quick way through the text must say what a YAML parser says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml as pyyaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_bot.errors import FetchError
from gitops_bot.render.fetching import chart_index
from gitops_bot.render.fetching.chart_index import ChartVersion, choose, versions

HOSTILE = """\
apiVersion: v1
entries:
  # a comment
  before:
  - version: 0.0.1
    urls: [before-0.0.1.tgz]
  app:
  - annotations:
      text: |
        entries:
          app:
          - version: 9.9.9
    apiVersion: v2
    description: "a long
      text: version: 8.8.8
      - version: 7.7.7"
    digest: sha256:ABCDEF
    maintainers:
    - name: ada
      version: 6.6.6

    # another
    name: app
    urls:
    - app-1.0.0.tgz
    - https://mirror.example.org/app-1.0.0.tgz
    version: 1.0.0
  - version: "2.0.0"
    dependencies:
    - name: x
      version: 5.5.5
    urls: ['app-2.0.0.tgz']
  after:
  - version: 0.0.2
generated: "2026-01-01T00:00:00Z"
"""


def slowly(index: bytes, name: str) -> tuple[ChartVersion, ...]:
    entries = pyyaml.safe_load(index)["entries"]
    return tuple(chart_index._entries(entries.get(name)))


def test_helms_own_index_is_read(packed_charts: Path) -> None:
    index = (packed_charts / "index.yaml").read_bytes()
    assert chart_index._cut_versions(index, "app") is not None
    found = versions(index, "app")
    assert found == slowly(index, "app")
    assert {one.version for one in found} == {"1.0.0", "1.1.0", "1.10.2", "2.0.0-rc.1", "0.9.0+build.7"}
    assert versions(index, "other")[0].urls == ("other-3.0.0.tgz",)
    assert versions(index, "nothing") == ()
    assert versions(index, "ap") == ()


def test_text_that_looks_like_a_version_is_none() -> None:
    index = HOSTILE.encode()
    expected = (
        ChartVersion("1.0.0", "abcdef", ("app-1.0.0.tgz", "https://mirror.example.org/app-1.0.0.tgz")),
        ChartVersion("2.0.0", "", ("app-2.0.0.tgz",)),
    )
    assert chart_index._cut_versions(index, "app") is not None
    assert versions(index, "app") == expected == slowly(index, "app")
    assert versions(index.replace(b"\n", b"\r\n"), "app") == expected


@pytest.mark.parametrize("name", ["before", "app", "after", "generated", "text", "x"])
def test_other_layouts_are_read_as_a_whole(name: str) -> None:
    document = pyyaml.safe_load(HOSTILE)
    expected = slowly(HOSTILE.encode(), name)
    for text in (json.dumps(document), pyyaml.safe_dump(document), pyyaml.safe_dump(document, indent=4),
                 "---\n" + HOSTILE, HOSTILE.replace("\nentries:", "\n'entries':")):  # fmt: skip
        assert versions(text.encode(), name) == expected, text


TEXTS = st.text("ab:- |>'\"#\n.\\1{}[]&*!%", max_size=30)
ITEMS = st.fixed_dictionaries(
    {"version": st.one_of(st.sampled_from(["1.0.0", "2.0.0"]), TEXTS)},
    optional={"digest": TEXTS, "urls": st.lists(TEXTS, max_size=2), "description": TEXTS, "aa": TEXTS,
              "annotations": st.dictionaries(TEXTS, TEXTS, max_size=2), "keywords": st.lists(TEXTS, max_size=2)},
)  # fmt: skip


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["app", "app2", "zz", "a-b"]), st.lists(ITEMS, max_size=3)))
def test_whatever_is_written_the_quick_way_says_the_same(entries: dict[str, list[dict[str, object]]]) -> None:
    index = pyyaml.safe_dump({"apiVersion": "v1", "entries": entries, "generated": "now"}, width=20).encode()
    indented = b"\n".join(
        b"  " + line if 0 < number < len(index.splitlines()) - 1 and line[:1] in b" -" else line
        for number, line in enumerate(index.splitlines())
    )
    for text in (index, indented):
        try:
            pyyaml.safe_load(text)
        except pyyaml.YAMLError:
            continue
        for name in ("app", "zz"):
            assert versions(text, name) == slowly(text, name)


@pytest.mark.parametrize("index", [b"", b"<html>", b"entries: 1", b"entries:\n  a: [", b"a: *x", b"\xff\xfe"])
def test_what_is_no_index_is_said(index: bytes) -> None:
    with pytest.raises(FetchError, match=r"index\.yaml"):
        versions(index, "app")


def test_a_chart_without_versions_in_the_index_has_none() -> None:
    for entry in ("  app: []", "  app: null", "  app: 1", "  app:", "  app:\n  - 1", "  app:\n  - version: 1.2"):
        assert versions(f"entries:\n{entry}\n".encode(), "app") == ()


def test_the_version_is_chosen_as_helm_does() -> None:
    known = [ChartVersion(version, "", ()) for version in ("1.0.0", "1.10.0", "1.9.0", "2.0.0-rc.1", "nightly")]

    def chosen(wanted: str) -> str | None:
        found = choose(known, wanted)
        return found.version if found else None

    assert chosen("") == chosen("*") == chosen("1") == chosen("^1.2") == "1.10.0"
    assert chosen("~1.9") == "1.9.0"
    assert chosen("2.0.0-rc.1") == chosen(">0.0.0-0") == "2.0.0-rc.1"
    assert chosen("nightly") == "nightly"
    assert chosen("v1.0.0") == "1.0.0"
    assert chosen(">3") is None
    with pytest.raises(ValueError, match="range"):
        chosen("HEAD")


def test_of_a_large_index_only_the_lines_that_matter_reach_the_parser() -> None:
    """Twelve megabytes, of which one chart is wanted: parsing it all would take seconds."""
    item = (
        "  - apiVersion: v2\n    created: now\n    description: words words words\n    digest: {d}\n    name: n\n"
        "    urls:\n    - u-{v}.tgz\n    version: {v}\n"
    )
    charts = "".join(
        f"  chart{number}:\n" + "".join(item.format(d="0" * 64, v=f"1.{minor}.0") for minor in range(150))
        for number in range(500)
    )
    index = f"apiVersion: v1\nentries:\n{charts}generated: now\n".encode()
    assert len(index) > 12_000_000
    lines = chart_index._entry_lines(index, "chart250")
    assert lines is not None
    kept = chart_index._keep_wanted(lines)
    assert kept is not None
    assert sum(map(len, kept)) < len(index) / 500
    assert [one.version for one in versions(index, "chart250")] == [f"1.{minor}.0" for minor in range(150)]
