from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.writeback.editor.address import Address, AddressError, Document, Index, Key, Match, parse, parse_path


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("image", Address(((Key("image"),),))),
        ("image.tag", Address(((Key("image"), Key("tag")),))),
        (r"a\.b.c", Address(((Key("a.b"), Key("c")),))),
        ('"a.b".c', Address(((Key("a.b"), Key("c")),))),
        ("'a.b'.\"c d\"", Address(((Key("a.b"), Key("c d")),))),
        (r'"a\"b\\"', Address(((Key('a"b\\'),),))),
        ("a b.c", Address(((Key("a b"), Key("c")),))),
        ("a/b.c-d", Address(((Key("a/b"), Key("c-d")),))),
        ('""', Address(((Key(""),),))),
        ("list[0]", Address(((Key("list"), Index(0)),))),
        ("[1].a", Address(((Index(1), Key("a")),))),
        ("list[name=api].image", Address(((Key("list"), Match("name", "api"), Key("image")),))),
        ("images[name=ghcr.io/acme/api:1].newTag",
         Address(((Key("images"), Match("name", "ghcr.io/acme/api:1"), Key("newTag")),))),
        ("parameters[name=image.tag].value",
         Address(((Key("parameters"), Match("name", "image.tag"), Key("value")),))),
        (r"l[name=a\]b]", Address(((Key("l"), Match("name", "a]b")),))),
        ('l[name="a]b"]', Address(((Key("l"), Match("name", "a]b")),))),
        ("l[name=]", Address(((Key("l"), Match("name", "")),))),
        ("l[0][1]", Address(((Key("l"), Index(0), Index(1)),))),
        ("values | image.tag", Address(((Key("values"),), (Key("image"), Key("tag"))))),
        ("values|image.tag", Address(((Key("values"),), (Key("image"), Key("tag"))))),
        ("Deployment/api: spec.replicas",
         Address(((Key("spec"), Key("replicas")),), Document("Deployment", "api"))),
        ("Deployment/prod/api:spec", Address(((Key("spec"),),), Document("Deployment", "api", "prod"))),
        ("ConfigMap/kube-root-ca.crt: data", Address(((Key("data"),),), Document("ConfigMap", "kube-root-ca.crt"))),
        (r"ClusterRole/system\:node: rules", Address(((Key("rules"),),), Document("ClusterRole", "system:node"))),
        ('ClusterRole/"system:node": rules', Address(((Key("rules"),),), Document("ClusterRole", "system:node"))),
        ("1: spec", Address(((Key("spec"),),), Document(number=1))),
        ("Team/owner.name", Address(((Key("Team/owner"), Key("name")),))),
        ("größe.é", Address(((Key("größe"), Key("é")),))),
    ],
)  # fmt: skip
def test_addresses(text, address):
    assert parse(text) == address
    assert parse(str(address)) == address


@pytest.mark.parametrize(
    ("text", "at", "problem"),
    [
        ("", 1, "nothing"),
        ("  ", 1, "nothing"),
        (".image", 1, "does not begin with a dot"),
        ("image..tag", 7, "a key is missing"),
        ("image.", 7, "a key is missing"),
        ("image.tag.", 11, "a key is missing"),
        ("list[", 5, "not closed"),
        ("list[0", 5, "not closed"),
        ("list[x]", 6, "an index such as [0]"),
        ("list[-1]", 6, "an index such as [0]"),
        ("list[]", 6, "an index such as [0]"),
        ("list[=x]", 6, "field's name is missing"),
        ("list[name=x", 5, "not closed"),
        ("list[0]x", 8, "'x' is unexpected"),
        ("a]", 2, "closing bracket"),
        ('a"b', 2, "a quote inside a key"),
        ('"a', 1, 'the quote " is not closed'),
        ("'a'b", 4, "'b' is unexpected"),
        ("a\\", 2, "a backslash at the end"),
        ("a:b", 2, "a colon ends a document"),
        ("Deployment/api:", 16, "a path is missing"),
        ("values |", 9, "a path is missing"),
        ("| a", 1, "a path is missing"),
        ("a | | b", 5, "a path is missing"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text, at, problem):
    with pytest.raises(AddressError) as caught:
        parse(text)
    assert f"at character {at}: " in caught.value.message
    assert problem in caught.value.message
    assert "image.tag" in caught.value.hint


def test_a_path_alone_has_no_document_and_no_inside():
    assert parse_path("a.b") == (Key("a"), Key("b"))
    for text in ("0: a", "a | b"):
        with pytest.raises(AddressError, match="only a path"):
            parse_path(text)


_TEXT = st.text(max_size=8) | st.text(alphabet="ab.[]|:\"'\\= /\n0", max_size=8)
_NAME = _TEXT.filter(bool)
_STEP = st.builds(Key, _TEXT) | st.builds(Index, st.integers(0, 10**8)) | st.builds(Match, _NAME, _TEXT)
_PATH = st.lists(_STEP, min_size=1, max_size=4).map(tuple)
_DOCUMENT = (
    st.none()
    | st.integers(0, 99_999).map(lambda number: Document(number=number))
    | st.builds(Document, st.sampled_from(["Deployment", "X2"]), _NAME, st.just("") | _NAME, number=st.none())
)


@given(st.builds(Address, st.lists(_PATH, min_size=1, max_size=3).map(tuple), _DOCUMENT))
def test_what_is_written_is_read_again(address):
    assert parse(str(address)) == address


@given(_TEXT | st.text(max_size=40))
def test_any_text_is_an_address_or_an_explained_error(text):
    try:
        address = parse(text)
    except AddressError as caught:
        message = caught.message
    else:
        message = "at character" if parse(str(address)) == address else "another address"
    assert "at character" in message
