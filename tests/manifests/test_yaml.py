"""YAML is read as Kubernetes reads it, within limits, and written so that it reads back as the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.manifests import yaml
from gitops_bot.manifests.yaml import YamlError

READINGS = {
    "yes": True, "y": True, "on": True, "Off": False, "N": False, "True": True, '"on"': "on",
    "017": 15, "0o17": 15, "-017": -15, "08": 8, "0x1F": 31, "-0x1F": -31, "0b11": 3, "1_000": 1000, "9_": 9, "+5": 5,
    "1e3": 1000, "680841e1": 6808410, "1.": 1, "1.0": 1, ".5": 0.5, "-.5": -0.5, "018.5": 18.5, "1e-7": 1e-7,
    "1e400": "1e400", "12345678901234567890": 12345678901234567890,
    "12:30": "12:30", "2024-01-02": "2024-01-02", "2024-01-02T10:00:00Z": "2024-01-02T10:00:00Z",
    "=": "=", "_1": "_1", ".": ".", "~": None, "": None, "Null": None,
    "!!str 5": "5", '!!int "7"': 7, "!!binary aGVsbG8=": "hello", "!Ref x": "x",
}  # fmt: skip
"""Scalars and their reading, as ``kubectl patch --local -o json`` printed them."""


@pytest.mark.parametrize(("text", "value"), READINGS.items())
def test_scalars_mean_what_they_mean_to_kubernetes(text, value):
    found = yaml.load(f"a: {text}\n".encode())["a"]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_texts_as_in_json():
    assert yaml.load(b"1: a\nyes: b\n~: c\n017: d\nname: e\n") == {
        "1": "a", "true": "b", "null": "c", "15": "d", "name": "e",
    }  # fmt: skip


def test_merge_keys_and_aliases_are_written_out():
    found = yaml.load(b"base: &b {a: 1, b: 2}\nx:\n  <<: *b\n  b: 3\nw: *b\nz:\n  <<: [*b, {c: 4}]\n")
    assert found["x"] == {"a": 1, "b": 3}
    assert found["w"] == {"a": 1, "b": 2}
    assert found["z"] == {"a": 1, "b": 2, "c": 4}


BOMB = b"a: &a [" + b",".join([b"x"] * 9) + b"]\n"
BOMB += b"".join(
    b"%c: &%c [%s]\n" % (code, code, b",".join([b"*%c" % (code - 1)] * 9)) for code in range(ord("b"), ord("k"))
)


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"[" * 1000 + b"]" * 1000, "nested deeper"),
        (b"[" * 100_000 + b"]" * 100_000, "nested deeper"),
        (b"".join(b" " * depth + b"a:\n" for depth in range(1000)), "nested deeper"),
        (b"{a: " * 1000 + b"}" * 1000, "nested deeper"),
        (b"- " * 1000 + b"x", "nested deeper"),
        (BOMB, "aliases add more than"),
        (b"a: &x [*x]", "an alias refers to what contains it"),
        (b"a: !!python/object/apply:os.system [id]", "tag"),
        (b"a: !!python/name:os.system", "tag"),
        (b"a: *nothing", "line 1"),
        (b"a: 1\nb: [", "line 2"),
        (b"a: \x00", "character"),
        (b"\xff\xfea", "UTF-8"),
        (b"a: .nan", "JSON cannot hold"),
        (b"? [a]\n: b", "a key is"),
        (b"a: 1\n---\nb: 1", "more than one document"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(data, part):
    with pytest.raises(YamlError, match=part) as caught:
        yaml.load(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        b"password: hunter2: x",
        b"password: 'hunter2",
        b"password: @hunter2",
        b"password: *hunter2",
        b"password: !!int hunter2",
        b"password: !!binary hunter2!",
        b"- hunter2\npassword: x",
        b"password: &hunter2 [*hunter2]",
    ],
)
def test_no_message_quotes_a_value(data):
    with pytest.raises(YamlError) as caught:
        yaml.load(data)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_duplicate_keys_are_an_error_or_told():
    data = b"a: 1\nb:\n  c: 1\n  c: 2\n"
    assert yaml.load(data) == {"a": 1, "b": {"c": 2}}
    assert yaml.read_all(data)[1] == [("c", 4)]
    with pytest.raises(YamlError, match="line 4: the key c is there twice"):
        yaml.load(data, strict=True)


def test_pyyamls_own_tables_are_untouched():
    import yaml as pyyaml

    yaml.load(b"a: yes")
    assert pyyaml.safe_load("a: 2024-01-02")["a"].year == 2024


TEXTS = st.text() | st.sampled_from(
    [*READINGS, "- a", "a: b", "a #b", " a", "a ", "|", "a\n", "a\n\n", "\n a\n", "---"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(VALUES.map(lambda value: {"a": value}))
def test_what_is_written_reads_back_as_the_same(value):
    text = yaml.dump(value)
    assert yaml.load(text.encode()) == value
    assert yaml.dump(yaml.load(text.encode())) == text


def test_texts_of_several_lines_are_literal_blocks():
    assert yaml.dump({"a": "x\ny\n", "b": ["p\nq"]}) == "a: |\n  x\n  y\nb:\n- |-\n  p\n  q\n"
