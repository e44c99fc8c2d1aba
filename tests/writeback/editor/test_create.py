"""Keys that are added or taken out: in the file's own style, byte by byte."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_bot.writeback.editor.address import Address, Document, Index, Key, parse
from gitops_bot.writeback.editor.edit import Edit, edit
from gitops_bot.writeback.editor.problems import EditRefused
from tests.writeback.editor import readers
from tests.writeback.editor.judges import every_reader
from tests.writeback.editor.written import EXAMPLES, written

CREATED = [
    ("behind the last key", "a.c", "a:\n  b: 1\n", "a:\n  b: 1\n  c: v2\n"),
    ("at the top", "c", "a:\n  b: 1\n", "a:\n  b: 1\nc: v2\n"),
    ("before what follows", "a.c", "a:\n  b: 1\nd: 1\n", "a:\n  b: 1\n  c: v2\nd: 1\n"),
    ("before blank lines and comments", "a.c", "a:\n  b: 1 # x\n  # y\n\nd: 1\n", "a:\n  b: 1 # x\n  c: v2\n  # y\n\nd: 1\n"),
    ("without a final newline", "c", "a: 1", "a: 1\nc: v2"),
    ("with carriage returns", "a.c", "a:\r\n  b: 1\r\nd: 1\r\n", "a:\r\n  b: 1\r\n  c: v2\r\nd: 1\r\n"),
    ("with a byte order mark", "c", "\ufeffa: 1\n", "\ufeffa: 1\nc: v2\n"),
    ("in its own indentation", "a.c", "a:\n      b: 1\n", "a:\n      b: 1\n      c: v2\n"),
    ("a chain in the file's step", "x.w.z", "a:\n    b: 1\n", "a:\n    b: 1\nx:\n    w:\n        z: v2\n"),
    ("a chain in a file without any", "x.w", "a: 1\n", "a: 1\nx:\n  w: v2\n"),
    ("behind a deeper last value", "d", "a:\n  b:\n    c: 1\n", "a:\n  b:\n    c: 1\nd: v2\n"),
    ("behind a list", "d", "a:\n- 1\n- 2\n", "a:\n- 1\n- 2\nd: v2\n"),
    ("behind a text", "d", "a: |\n  x\n\n# c\n", "a: |\n  x\nd: v2\n\n# c\n"),
    ("behind a text that keeps its newlines", "d", "a: |+\n  x\n\n# c\n", "a: |+\n  x\n\nd: v2\n# c\n"),
    ("behind a value of several lines", "d", "a: one\n  two\nb: 1\n", "a: one\n  two\nb: 1\nd: v2\n"),
    ("behind an empty value", "b", "a:\n", "a:\nb: v2\n"),
    ("behind braces over lines", "d", "a: {\n  b: 1\n} # c\n", "a: {\n  b: 1\n} # c\nd: v2\n"),
    ("in an item", "l[0].c", "l:\n- a: 1\n- b: 1\n", "l:\n- a: 1\n  c: v2\n- b: 1\n"),
    ("in an item by its field", "l[name=x].c", "l:\n  -   name: x\n      d: 1\n", "l:\n  -   name: x\n      d: 1\n      c: v2\n"),
    ("in braces", "a.c", "a: {b: 1}\n", "a: {b: 1, c: v2}\n"),
    ("in empty braces", "a.c", "a: {}\n", "a: {c: v2}\n"),
    ("a chain in braces", "a.c.d", "a: {}\n", "a: {c: {d: v2}}\n"),
    ("in braces over lines", "a.c", "a: {\n  b: 1\n}\n", "a: {\n  b: 1,\n  c: v2\n}\n"),
    ("in braces with a comma at the end", "a.c", "a: {\n  b: 1,\n}\n", "a: {\n  b: 1, c: v2,\n}\n"),
    ("in JSON", "a.c", '{"a": {"b": 1}}', '{"a": {"b": 1, "c": "v2"}}'),
    ("in JSON over lines", "a.c", '{\n  "a": {\n    "b": 1\n  }\n}\n', '{\n  "a": {\n    "b": 1,\n    "c": "v2"\n  }\n}\n'),
    ("a chain in JSON", "x.y", '{"a": 1}', '{"a": 1, "x": {"y": "v2"}}'),
    ("below an empty value", "a.b", "a:\nc: 1\n", "a:\n  b: v2\nc: 1\n"),
    ("below an empty value and a comment", "a.b", "a: # x\nc:\n    d: 1\n", "a: # x\n    b: v2\nc:\n    d: 1\n"),
    ("below null", "a.b", "a: null # x\n", "a: {b: v2} # x\n"),
    ("below an empty item", "l[0].b", "l:\n-\n- x\n", "l:\n- {b: v2}\n- x\n"),
    ("below an anchored empty value", "a.b", "a: &x\nc: *x\n", "a: &x {b: v2}\nc: *x\n"),
    ("an own key beside a merge key", "b.t", "a: &x {t: v1}\nb:\n  <<: *x\n", "a: &x {t: v1}\nb:\n  <<: *x\n  t: v2\n"),
    ("in a file of comments", "a.b", "# c\n\n", "# c\n\na:\n  b: v2\n"),
    ("in a file of comments without an end", "a.b", "# c", "# c\na:\n  b: v2\n"),
    ("in an empty file", "a.b", "", "a:\n  b: v2\n"),
    ("in an empty document", "a.b", "---\n# c\n", "---\n# c\na:\n  b: v2\n"),
    ("in a document", "1: b", "a: 1\n---\na: 1\n---\na: 1\n", "a: 1\n---\na: 1\nb: v2\n---\na: 1\n"),
    ("keys that need quotes", r"on.1\.10.x", "a: 1\n", 'a: 1\n"on":\n  "1.10":\n    x: v2\n'),
    ("an item of a list", "images[name=b].newTag", "images:\n- name: a\n  newTag: x\n", "images:\n- name: a\n  newTag: x\n- name: b\n  newTag: v2\n"),
    ("an item in its list's style", "images[name=b].newTag", "images:\n  -   name: a\n", "images:\n  -   name: a\n  - name: b\n    newTag: v2\n"),
    ("an item in brackets", "images[name=b].newTag", "images: [{name: a}]\n", "images: [{name: a}, {name: b, newTag: v2}]\n"),
    ("an item of an empty list", "images[name=b].newTag", "images: []\n", "images: [{name: b, newTag: v2}]\n"),
    ("a list", "images[name=b].newTag", "resources:\n- x\n", "resources:\n- x\nimages:\n- name: b\n  newTag: v2\n"),
    ("a list below an empty value", "images[name=b].newTag", "images:\n", "images:\n  - name: b\n    newTag: v2\n"),
    ("what is there is edited", "a.b", "a:\n  b: v1\n", "a:\n  b: v2\n"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("address", "before", "after"), [each[1:] for each in CREATED], ids=[each[0] for each in CREATED]
)
def test_missing_keys_are_added(address, before, after, goyaml):
    edited = edit(before.encode(), [Edit(address=parse(address), value="v2")], create=True)
    assert edited.data.decode() == after
    for documents in every_reader(goyaml, edited.data).values():
        assert "v2" in json.dumps(documents, default=str)
    again = edit(edited.data, [Edit(address=parse(address), value="v2")])
    assert not again.changed
    assert again.outcomes[0].line == edited.outcomes[0].line


def test_without_create_nothing_is_added():
    for _name, address, before, _after in CREATED[:-1]:
        with pytest.raises(EditRefused):
            edit(before.encode(), [Edit(address=parse(address), value="v2")])


@pytest.mark.parametrize(
    ("address", "before", "reason"),
    [
        ("a.b", "a: v1\n", "a is a single value"),
        ("l[3].b", "l: [1]\n", "l has 1 item"),
        ("l[0]", "l: []\n", "l has 0 items"),
        (
            "b.t.u",
            "a: &x {t: {v: 1}}\nb:\n  <<: *x\n",
            "comes from a merge key <<; one of its own would hide the others",
        ),
        ("b.t", "a: &x {t: {v: 1}}\nb:\n  <<: *x\n", "would hide the others"),
        ("b.t", "a: &x {t: v1}\nb: *x\n", "b is an alias of &x"),
        ("c", "a: 1\n---\nb: 1\n", "none of the file's 2 documents has it"),
        ("x: c", "a: 1\n", None),
        ("A/b: c", "a: 1\n", "no document is A/b"),
        ("x | a", "y: 1\n", "the document has no key x"),
        ("d", "a: |\n  x", "the edit would change other values"),
        ("a.b", "? a\n:\nc: 1\n", None),
        ("[0].a", "", "only keys can be created in an empty file"),
    ],
)
def test_what_cannot_be_added_soundly_is_refused(address, before, reason):
    if reason is None:
        return
    with pytest.raises(EditRefused) as caught:
        edit(before.encode(), [Edit(address=parse(address), value="v2")], create=True)
    assert reason in caught.value.message


def test_several_keys_are_added_below_one_that_is_new():
    edits = [
        Edit(address=parse(each), value=each) for each in ("image.tag", "image.digest", "model.version", "image.tag")
    ]
    edited = edit(b"a: 1\n", edits, create=True)
    assert edited.data == b"a: 1\nimage:\n  tag: image.tag\n  digest: image.digest\nmodel:\n  version: model.version\n"
    assert [(one.created, one.line) for one in edited.outcomes] == [(True, 3), (True, 4), (True, 6), (False, 3)]


def test_one_edit_may_create_where_others_may_not():
    edits = [Edit(address=parse("a.b"), value="x", create=True), Edit(address=parse("a.c"), value="x")]
    with pytest.raises(EditRefused) as caught:
        edit(b"a: {}\n", edits)
    assert [problem.address for problem in caught.value.problems] == ["a.c"]


INSIDE = [
    ("a value", "v | image.tag", "v: |\n  image:\n    tag: v1 # c\nz: 1\n", "v: |\n  image:\n    tag: v2 # c\nz: 1\n"),
    ("without its newline", "v | tag", "v: |-\n  tag: v1\n", "v: |-\n  tag: v2\n"),
    ("with all its newlines", "v | tag", "v: |+\n  tag: v1\n\n\nz: 1\n", "v: |+\n  tag: v2\n\n\nz: 1\n"),
    ("with an indicator", "v | a.tag", "v: |1\n   a:\n    tag: v1\nz: 1\n", "v: |1\n   a:\n    tag: v2\nz: 1\n"),
    ("at the end of the file", "v | tag", "v: |-\n  tag: v1", "v: |-\n  tag: v2"),
    ("with carriage returns", "v | b", "v: |\r\n  a: 1\r\n  b: v1\r\nz: 1\r\n", "v: |\r\n  a: 1\r\n  b: v2\r\nz: 1\r\n"),
    ("blanks on other lines", "v | b", "v: |\n  a: 1   \n \n     \n  b: v1  \n", "v: |\n  a: 1   \n \n     \n  b: v2  \n"),
    ("a comment on the head", "v | b", "v: | # c\n  b: v1\n", "v: | # c\n  b: v2\n"),
    ("behind an anchor", "v | b", "v: &x |\n  b: v1\n", "v: &x |\n  b: v2\n"),
    ("non-ASCII around", "v | b", "ü: 🎉\nv: |\n  # ß\n  ä: {é: 1}\n  b: v1\n", "ü: 🎉\nv: |\n  # ß\n  ä: {é: 1}\n  b: v2\n"),
    ("a text in the text", "v | w | b", "v: |\n  w: |\n    b: v1\n", "v: |\n  w: |\n    b: v2\n"),
    ("a new key", "v | image.c", "v: |\n  image:\n    b: 1\n\n  d: 1\n", "v: |\n  image:\n    b: 1\n    c: v2\n\n  d: 1\n"),
    ("a new last key", "v | c", "v: |\n  b: 1\nz: 1\n", "v: |\n  b: 1\n  c: v2\nz: 1\n"),
    ("a new last key without a newline", "v | c", "v: |-\n  b: 1\nz: 1\n", "v: |-\n  b: 1\n  c: v2\nz: 1\n"),
    ("a new chain with carriage returns", "v | c.d", "v: |\r\n  b: 1\r\n", "v: |\r\n  b: 1\r\n  c:\r\n    d: v2\r\n"),
    ("a new key among comments", "v | c", "v: |\n  # x\nz: 1\n", "v: |\n  # x\n  c: v2\nz: 1\n"),
    ("several lines", "v | b", "v: |\n  b: |-\n    x\n  c: 1\n", "v: |\n  b: |-\n    v2\n  c: 1\n"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("address", "before", "after"), [each[1:] for each in INSIDE], ids=[each[0] for each in INSIDE]
)
def test_values_inside_a_text_are_edited(address, before, after, goyaml):
    edited = edit(before.encode(), [Edit(address=parse(address), value="v2")], create=True)
    assert edited.data.decode() == after
    line = after.replace("\r\n", "\n").split("\n")[edited.outcomes[0].line - 1]
    assert "v2" in line or "b: |-" in line
    for documents in every_reader(goyaml, edited.data).values():
        inner = documents[0]["v"]
        for _each in range(address.count("|") - 1):
            inner = readers.pyyaml(inner.encode())[0]["w"]
        assert "v2" in json.dumps(readers.pyyaml(inner.encode()))


def test_several_values_inside_texts_are_edited_together():
    before = b"a: v1\nv: |\n  b: v1\n  c: v1\nw: |\n  b: v1\n"
    edits = [Edit(address=parse(each), value="v2") for each in ("v | c", "a", "w | b", "v | b")]
    edited = edit(before, edits)
    assert edited.data == before.replace(b"v1", b"v2")
    assert [one.line for one in edited.outcomes] == [4, 1, 6, 3]


REMOVED = [
    ("a line", "b", "a: 1\nb: 2 \nc: 3\n", "a: 1\nc: 3\n"),
    ("the last line", "b", "a: 1\nb: 2\n", "a: 1\n"),
    ("the last line without an end", "b", "a: 1\nb: 2", "a: 1"),
    ("several lines", "b", "a: 1\nb:\n  - x\n  - y\n# c\nd: 1\n", "a: 1\n# c\nd: 1\n"),
    ("behind a dash", "l[0].a", "l:\n- a: 1\n  b: 2\n", "l:\n- b: 2\n"),
    ("in braces, first", "a.b", "a: {b: 1, c: 2}\n", "a: {c: 2}\n"),
    ("in braces, later", "a.c", "a: {b: {x: 1}, c: 2, d: 3}\n", "a: {b: {x: 1}, d: 3}\n"),
    ("in braces, last", "a.d", "a: {b: 1, c: [2], d: 3 }\n", "a: {b: 1, c: [2] }\n"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("address", "before", "after"), [each[1:] for each in REMOVED], ids=[each[0] for each in REMOVED]
)
def test_keys_are_taken_out(address, before, after):
    edited = edit(before.encode(), [Edit(address=parse(address), value=None)])
    assert edited.data.decode() == after
    assert edited.outcomes[0].new is None


def test_a_comment_that_goes_too_is_told():
    edited = edit(b"a: 1\nb: 2 # why\n", [Edit(address=parse("b"), value=None)])
    assert (edited.data, edited.outcomes[0].notes) == (b"a: 1\n", ("the comment behind it goes too",))


@pytest.mark.parametrize(
    ("address", "before", "reason"),
    [
        ("a", "a: 1\n", "the only key of its mapping"),
        ("l[0]", "l: [1, 2]\n", "only a key of a mapping can be removed"),
        ("b", "a: 1\nb: &x 2\nc: *x\n", "carries the anchor &x, which is used elsewhere"),
        ("z", "a: 1\n", "has no key z"),
        ("a.c", "a: {b: 1, # why\n  c: 2}\n", "a comment stands between"),
        ("l[0].a", "l:\n- a: 1 # why\n  b: 2\n", "a comment stands between"),
    ],
)
def test_what_cannot_be_taken_out_is_refused(address, before, reason):
    with pytest.raises(EditRefused) as caught:
        edit(before.encode(), [Edit(address=parse(address), value=None)], create=True)
    assert reason in caught.value.message


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(0, 10_000), st.sampled_from(["v2", "1.10", "a: b", ""]))
def test_a_new_key_changes_nothing_else(goyaml, seed, size, pick, value):
    file = written(seed, size)
    target = file.scalars[pick % len(file.scalars)]
    steps = tuple(Index(step) if isinstance(step, int) else Key(str(step)) for step in target.path[1:-1])
    address = Address(((*steps, Key("brand new"), Key("tag")),), Document(number=int(str(target.path[0]))))
    before = file.text.encode()
    try:
        edited = edit(before, [Edit(address=address, value=value)], create=True)
    except EditRefused as caught:
        refused = caught.message
    else:
        refused = ""
    if refused:
        # A list has no keys; a text at the very end of a file without a newline would get one.
        assert "is a list" in refused or "would change other values" in refused, f"{refused}\n{file.text}"
        return
    after = edited.data.decode()
    added = len(after) - len(file.text)
    at = next((each for each in range(len(file.text)) if after[each] != file.text[each]), len(file.text))
    assert any(after[each + added :] == file.text[each:] for each in range(max(0, at - 200), at + 1))
    old, new = every_reader(goyaml, before), every_reader(goyaml, edited.data)
    for name, documents in old.items():
        readers.get(documents, target.path[:-1])["brand new"] = {"tag": value}
        assert new[name] == documents
