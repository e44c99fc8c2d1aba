"""Manifests are told from other files in every notation, as what would read them tells them."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.manifests import yaml
from gitops_bot.manifests.recognise import Header, header, is_manifest, may_be_manifest

POD = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n"
SKAFFOLD = "apiVersion: skaffold/v4beta6\nkind: Config\nbuild: {}\n"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"kind: A\napiVersion: v1\n", True),
        (b"'apiVersion': v1\n\"kind\": A\n", True),
        (b"---\n# c\napiVersion: v1\nkind: List\n", True),
        (b"apiVersion: v1\n", False),
        (b"spec:\n  apiVersion: v1\n  kind: A\n", False),
        (b"apiVersion:\nkind:\n", False),
        (b"[1, 2]", False),
        (b"myapiVersion: v1\nkind: A\n", False),
        (b"a: 'apiVersion: v1\n  kind: A\n  '\n", False),
        (b"apiVersion: v1\nkind: A\na:\n  - {{ x }}\n", False),
        (b"apiVersion: v1\nkind: A\na: '{{ x }}'\n", True),
        (b"a: 1\n'apiVersion': \"k3d.io/v1\"\nkind: Simple\n", False),
        (b"apiVersion: skaffold.acme.io/v1\nkind: Config\n", True),
        (b"apiVersion: v1\n---\nkind: A\n", True),
        (b"apiVersion: v1\nkind: A\na: [\n", True),
        (b"# see apiVersion and kind!\nname: x\nrun: |\n  a \\\n  b\n", False),
        (b'"a\\u0070i": 1\n', False),
        (b"- apiVersion: v1\n  kind: A\n", False),
        (b"apiVersion: 1\nkind: A\n", True),
        (b"? apiVersion\n: 1\nkind: A\n", False),
    ],
)
def test_a_manifest_is_told_by_its_top_level(content: bytes, expected: bool) -> None:
    assert is_manifest(content) is expected


HIDDEN: dict[str, bytes] = {
    name: text if isinstance(text, bytes) else text.encode()
    for name, text in {
        "a line with braces": POD + "  annotations:\n    a: |\n      {{ x }}\n",
        "a tool's document before it": SKAFFOLD + "---\n" + POD,
        "a tool's document behind it": POD + "---\n" + SKAFFOLD,
        "a byte order mark": b"\xef\xbb\xbf" + POD.encode(),
        "a byte order mark in between": b"a: 1\n---\n\xef\xbb\xbf" + POD.encode(),
        "UTF-16": POD.encode("utf-16"),
        "UTF-16, big end first": b"\xfe\xff" + POD.encode("utf-16-be"),
        "indented": "".join(f" {line}\n" for line in POD.splitlines()),
        "indented behind a comment": "a: 1\n---\n# c\n\n" + "".join(f"\t {line}\n"[1:] for line in POD.splitlines()),
        "question marks": POD.replace("apiVersion:", "? apiVersion\n:").replace("kind:", "? kind\n:"),
        "an escape": POD.replace("apiVersion:", '"api\\x56ersion":'),
        "two escapes": POD.replace("apiVersion:", '"\\u0061piVersion":').replace("kind", '"k\\151nd"'.replace("\\151", "\\x69")),
        "a key over two lines": POD.replace("apiVersion:", '? "api\\\n  Version"\n:'),
        "a tag": POD.replace("apiVersion:", "!!str apiVersion:"),
        "a binary key": POD.replace("apiVersion:", "!!binary YXBpVmVyc2lvbg==:"),
        "an anchor": POD.replace("kind:", "&a kind:"),
        "an alias": "x: &a kind\n" + POD.replace("kind:", "*a :"),
        "a space before the colon": POD.replace("apiVersion:", "apiVersion :").replace("kind:", "kind :"),
        "a merge": "x: &x\n  apiVersion: v1\n<<: *x\n" + POD.split("\n", 1)[1],
        "flow behind the marker": "--- {apiVersion: v1, kind: Pod, metadata: {name: a}}\n",
        "flow": "{apiVersion: v1,\nkind: Pod, metadata: {name: a}}\n",
        "the next line": POD.replace("kind: Pod", "kind:\n  Pod").replace("apiVersion: v1", "apiVersion:\n  v1"),
        "a folded value": POD.replace("kind: Pod", "kind: >-\n  Pod"),
        "old line ends": POD.replace("\n", "\r"),
        "line separators": "a: 1\u2028" + POD,
        "a directive": "%YAML 1.1\n---\n!!map\n" + POD,
    }.items()
}  # fmt: skip


@pytest.mark.parametrize("name", HIDDEN)
def test_no_notation_hides_an_object(name: str) -> None:
    content = HIDDEN[name]
    assert is_manifest(content)
    assert may_be_manifest(content)


@pytest.mark.parametrize("indent", [None, 2])
def test_json_is_told_by_its_top_too(indent: int | None) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    text = json.dumps(pod, indent=indent).encode()
    for good in (text, b"[" + text + b"]", text.replace(b"apiV", b"api\\u0056"), b"\xef\xbb\xbf" + text):
        assert is_manifest(good, is_json=True)
    assert is_manifest(text)
    for other in (b'{"openapi": "3", "x": {"apiVersion": "v1", "kind": "Pod"}}', b"{", b"", b"[]", b"1"):
        assert not is_manifest(other, is_json=True)
    assert is_manifest(POD.encode(), is_json=True)  # kubectl reads it, so nobody may pass it over in silence


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"{{ if .x }}\n" + POD.encode() + b"{{ end }}\n", True),
        (b"a: [\n " + POD.replace("\n", "\n ").encode(), True),
        (b"\xff\xfea", True),
        (SKAFFOLD.encode(), False),
        (b'{"name": "web", "version": "1.0.0"}', False),
        (b"on: push\njobs: {}\n", False),
        (b"image: {repository: a}\nkind: web\n", False),
        (b"{{ toYaml .Values }}\n", False),
        (b"", False),
    ],
)
def test_what_cannot_be_read_counts_where_it_looks_like_a_manifest(content: bytes, expected: bool) -> None:
    assert not is_manifest(content)
    assert may_be_manifest(content) is expected


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (b"apiVersion: v1\nkind: 'Pod' # c\nitems:\n- a\n", Header("v1", "Pod", True)),
        (b"# c\n\nname: web\nspec:\n    kind: x\n", Header("", "", False)),
        (b"---\r\napiVersion: v1\r\nkind: Pod\r\n", Header("v1", "Pod", False)),
        (b"kind: &k Pod\n", None),
        (b"kind: Pod\nkind: Job\n", None),
        (b" kind: Pod\n", None),
        (b"{kind: Pod}\n", None),
        (b"<<: *x\nkind: Pod\n", None),
        (b"kind:\n  Pod\n", None),
    ],
)
def test_bytes_tell_a_header_or_nothing(document: bytes, expected: Header | None) -> None:
    assert header(document) == expected


_LINES = st.sampled_from(
    [
        "apiVersion: v1", "kind: Pod", "kind: List", "items:", "- a", "  a: 1", " kind: Pod", "'kind': Job", '"kind": Job',
        "---", "...", "# c", "", "kind : Pod", "? kind", ": Pod", "x: |", "  kind: A", 'x: "', '"', "'", "}", "{", "<<: *x",
        "x: &x {kind: A}", "&a kind: B", "!!str kind: B", "\ufeffkind: B", "a: b\u2028kind: C", "a: b\rkind: C", "apiVersion:",
        "  v1", '"api\\x56ersion": v1', "--- {kind: A, apiVersion: b}", "%YAML 1.1", "a: >", "\tkind: C", "kind: &a C",
    ]
)  # fmt: skip


@given(st.lists(_LINES, max_size=8))
def test_bytes_and_the_parser_never_disagree(lines: list[str]) -> None:
    """A verdict by bytes is the parser's, wherever the parser has one."""
    content = "\n".join(lines).encode()
    try:
        documents = yaml.load_all(content)
    except yaml.YamlError:
        return
    objects = [each for each in documents if isinstance(each, dict) and {"apiVersion", "kind"} <= each.keys()]
    if any(all(isinstance(each[key], str) and each[key] for key in ("apiVersion", "kind")) for each in objects):
        assert is_manifest(content)
    told = header(content)
    if told is not None and len(documents) == 1 and isinstance(documents[0], dict):
        assert told.kind == documents[0].get("kind", "") or str(documents[0]["kind"]).startswith(told.kind + " ")
        assert told.items == ("items" in documents[0])


def test_megabytes_of_hostile_lines_are_decided_soon() -> None:
    began = time.monotonic()
    for line in (
        "#\n",
        "\n",
        " \n",
        "a: b\n",
        "apiVersion\n",
        "---\n",
        "---\n ",
        "\r\n",
        "- \n",
        "'a\n",
        '"\n',
        "kind:\n",
    ):
        text = (line * (2_000_000 // len(line))).encode()
        header(text)
    assert time.monotonic() - began < 20
