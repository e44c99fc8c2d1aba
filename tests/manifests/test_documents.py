"""A stream is split where YAML splits it, and what may be a Secret is never missed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.manifests import yaml
from gitops_bot.manifests.documents import decode, holds_secret, line_of, split


def texts(stream: bytes) -> list[bytes]:
    return [document.text for document in split(decode(stream))]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"", []),
        (b"---\n", []),
        (b"# only a comment", []),
        (b"a: 1\n--- # x\nb: 1\n---\n# c\n\nc: 1", [b"a: 1\n", b"b: 1\n", b"c: 1\n"]),
        (b"--- {a: 1}\n--- |\n # kept\n x\n", [b"--- {a: 1}\n", b"--- |\n # kept\n x\n"]),
        (b"a: |\n  ---\n  x\n...\nb: 1\n...", [b"a: |\n  ---\n  x\n", b"b: 1\n"]),
        (b"\xef\xbb\xbf---\r\na: 1\r\n---\r\nb: 2", [b"a: 1\n", b"b: 2\n"]),
        (b"%YAML 1.1\n---\na: 1\n---- b\n", [b"a: 1\n---- b\n"]),
        (b"a: |+\n  x\n\n\n---\nb: 1\n\n", [b"a: |+\n  x\n\n\n", b"b: 1\n"]),
        ("a: ü\n".encode("utf-16"), ["a: ü\n".encode()]),
    ],
)
def test_documents_end_where_yaml_ends_them(stream, expected):
    assert texts(stream) == expected


BODIES = st.sampled_from(
    [b"a: 1\n", b"a: |\n  ---\n  x\n", b"# c\nb: 2\n", b"\n", b"c: |+\n  x\n\n\n", b"{d: 4}\n", b"- e\n", b"'f'\n", b"# g\n"]
)  # fmt: skip
MARKS = st.sampled_from([b"---\n", b"--- # c\n", b"---  \n", b"...\n---\n"])


@given(st.lists(st.tuples(MARKS, BODIES), max_size=6))
def test_splitting_loses_nothing_that_parsing_finds(parts):
    stream = b"x: 0\n" + b"".join(mark + body for mark, body in parts)
    whole = [each for each in yaml.load_all(stream) if each is not None]
    assert [yaml.load(text) for text in texts(stream)] == whole


def test_a_comment_before_the_content_is_no_difference():
    one, two = split(b"---\n# Source: a.yaml\nx: 1\n---\n# Source: b.yaml\n\nx: 1\n")
    assert one.digest == two.digest
    assert line_of(b"---\n# Source: a.yaml\nx: 1\n", split(b"---\n# Source: a.yaml\nx: 1\n")[0]) == 3


@pytest.mark.parametrize(
    "stream",
    [
        b"kind: Secret",
        b"kind: Secret # why\n",
        b"kind:   'Secret'\r\n",
        b'{"apiVersion":"v1","kind":"Secret","data":{}}',
        b'{ "kind" : "Secret" }',
        b"'kind': Secret\n",
        b"items:\n- kind: Secret\n",
        b"kind: SecretList\n",
        b"kind: &a Secret\n",
        b"kind: !!str Secret\n",
        b"kind:\n  Secret\n",
        b"kind: >-\n  Secret\n",
        b"? kind\n: Secret\n",
        b"x: &k Secret\nkind: *k\n",
        b'kind: "\\x53ecret"\n',
        b'"k\\u0069nd": "Secr\\u0065t"\n',
        b'kind: "Sec\\\n  ret"\n',
        "kind: Secret\n".encode("utf-16"),
        b"a: 1\n---\nb: 1\n---\nkind: Secret\n",
    ],
)
def test_a_secret_is_seen_in_any_notation(stream):
    assert holds_secret(stream)


@pytest.mark.parametrize(
    "stream",
    [
        b"kind: SecretStore\n",
        b"kind: ExternalSecret\nspec: {secretName: x}\n",
        b"description: name of the Secret\n  in this namespace\n",
        b"resources: [secrets]\n",
        b'a: "\\u003c\\n"\n',
        b'kind: "\\x53ervice"\n',
    ],
)
def test_what_only_speaks_of_secrets_is_none(stream):
    assert not holds_secret(stream)


@given(st.sampled_from(["Secret", "SecretList"]), st.booleans(), st.booleans(), st.text(max_size=5))
def test_a_secret_is_seen_as_json_writes_it(kind, ascii_only, indented, name):
    value = {"items": [{"metadata": {"name": name}, "kind": kind}]}
    assert holds_secret(json.dumps(value, ensure_ascii=ascii_only, indent=2 if indented else None).encode())
