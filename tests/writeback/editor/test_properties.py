"""Generated files in many styles: outside the target not one byte moves, and every reader reads the intended text.

The ordinary run takes some hundred files. ``GITOPS_BOT_EXAMPLES=10000 pytest tests/writeback -k properties``
is the long one; with test_create.py's it takes two minutes.
"""

from __future__ import annotations

import codecs
import json
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_bot.writeback.editor.address import Address, Document, Index, Key, parse
from gitops_bot.writeback.editor.edit import Edit, edit
from gitops_bot.writeback.editor.problems import EditRefused
from gitops_bot.writeback.editor.scalar import stays_text
from tests.writeback.editor import readers
from tests.writeback.editor.judges import judge
from tests.writeback.editor.written import EXAMPLES, written

many = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

SPOKEN = st.sampled_from(
    ["v2", "1.2.4", "sha-0f0f0f0", "ghcr.io/acme/api:v2@sha256:00ff", "1.10", "0123", "1e3", "680841e1", "0o17", "yes", "y",
     "null", "~", "12:30", "1_000", "2024-06-27", "2024-06-27T10:00:00Z", "0x1F", ".5", "", " v2", "v2 ", "a: b", "a #b", "#a",
     "- a", "*a", "&a", "!a", "%a", "@a", "`a", "[a]", "{a}", "a, b", "it's", 'say "so"', "back\\slash", "größe", "🎉", "---",
     "...", "a\nb", "a\nb\n", "\n", "tab\there", "\u2028", "\ufeff", "\x85", "\xa0", "s3://models/churn/v1.2.3/", "<<", "=",
     "true", "off", ".inf", "0b1", "190:20:30", "-", "?", ":", "a:", ":a", "|", ">", "x" * 2000]
)  # fmt: skip
HEX = st.text(alphabet="0123456789abcdef", min_size=7, max_size=8)
NUMBERISH = st.text(alphabet="0123456789eE+-._:xobTZ infINF", min_size=1, max_size=12)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUE = SPOKEN | HEX | NUMBERISH | ANY

REFUSALS = {
    "the new text does not begin with a filled line": ("literal", "folded"),
    "the new text has characters that a block text cannot hold": ("literal", "folded"),
    "it is a folded text (>)": ("folded",),
    "the indentation of the block text cannot be told": ("folded",),
    "the file could not be read after the edit": ("literal", "folded"),
    "the new value would not read as it was meant": ("literal", "folded"),
    "the edit would change other values": ("literal", "folded"),
}
"""Why an edit may be refused, and for which styles; anything else must be edited."""


def address_of(path: tuple[object, ...]) -> Address:
    steps = tuple(Index(step) if isinstance(step, int) else Key(str(step)) for step in path[1:])
    return Address((steps,), Document(number=int(str(path[0]))))


@many
@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(0, 10_000), VALUE, st.booleans())
def test_outside_the_target_not_one_byte_moves(goyaml, seed, size, pick, value, bom):
    file = written(seed, size)
    target = file.scalars[pick % len(file.scalars)]
    mark = codecs.BOM_UTF8 if bom else b""
    before = mark + file.text.encode()
    address = address_of(target.path)
    try:
        edited = edit(before, [Edit(address=parse(str(address)), value=value)])
    except EditRefused as error:
        (problem,) = error.problems
        reason = next((why for why in REFUSALS if problem.reason.startswith(why)), None)
        assert reason, f"{problem.told}\n{file.text}"
        assert target.style in REFUSALS[reason], f"{problem.told}\n{file.text}"
        return
    text = edited.data.removeprefix(mark).decode()
    head, tail = file.text[: target.start], file.text[target.end :]
    if target.style == "empty":  # a blank that is there already is used
        tail = tail.removeprefix(" ")
    assert edited.data.startswith(mark)
    assert text.startswith(head), (target, text)
    assert text.endswith(tail), (target, text)
    assert len(text) >= len(head) + len(tail)
    if not edited.changed:
        assert edited.data == before
    follow = dict.fromkeys((target.path, *target.follow), value)
    judges = judge(goyaml, before, edited.data, follow)
    assert {"kubernetes", "yaml3"} <= judges


@many
@given(NUMBERISH | HEX | SPOKEN | ANY, st.booleans())
def test_what_stands_without_quotes_is_text_to_every_reader(goyaml, text, flow):
    if not stays_text(text, flow=flow):
        return
    data = f"a: {{b: [{text}, {text}]}}\n".encode() if flow else f"a:\n  b:\n  - {text}\n  - {text} # c\n".encode()
    want = [{"a": {"b": [text, text]}}]
    assert readers.pyyaml(data) == want
    assert readers.ruamel(data) == want
    assert goyaml.read(data) == {"kubernetes": want, "yaml3": want}


@settings(deadline=None)
@given(
    st.binary(max_size=60)
    | st.text(max_size=60).map(str.encode)
    | st.text(alphabet="a:- \n{}[]&*!|>'\"#?%,", max_size=40).map(str.encode)
)
def test_any_bytes_are_edited_or_refused(data):
    for create in (False, True):
        try:
            edited = edit(data, [Edit(address=parse("a.b"), value="v2")], create=create)
        except EditRefused:  # any other exception fails
            continue
        else:
            assert edit(edited.data, [Edit(address=parse("a.b"), value="v2")]).data == edited.data


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(st.characters(exclude_categories=["C"]), max_size=5),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(
            st.text(st.characters(exclude_characters="<", exclude_categories=["C"]), max_size=3), below, max_size=3
        )
    ),
    max_leaves=10,
)


@many
@given(
    st.dictionaries(st.sampled_from(["a", "b", "c d"]), JSON, min_size=1), st.sampled_from([None, 2]), st.data(), VALUE
)
def test_json_stays_json(document, indent, data, value):
    before = json.dumps(document, indent=indent, ensure_ascii=False).encode()
    place, steps = document, []
    while isinstance(place, (dict, list)) and place:
        step = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        steps.append(step)
        place = place[step]
    is_new = isinstance(place, dict) or (place is None and data.draw(st.booleans()))
    steps += ["new", "tag"] if is_new else []
    address = Address((tuple(Index(step) if isinstance(step, int) else Key(step) for step in steps),))
    if isinstance(place, list):
        return
    after = json.loads(edit(before, [Edit(address=parse(str(address)), value=value)], create=True).data)
    holder = document
    for step in steps[:-1]:
        holder[step] = holder.get(step) or {} if step == "new" else holder[step] if holder[step] is not None else {}
        holder = holder[step]
    holder[steps[-1]] = value
    assert after == document


@pytest.mark.parametrize("size", [1, 6])
def test_the_generated_files_are_of_every_style(size):
    found = Counter(each.style for seed in range(200) for each in written(seed, size).scalars)
    assert set(found) == {
        "plain",
        "single",
        "double",
        "number",
        "empty",
        "literal",
        "folded",
        "lines",
        "quotedlines",
        "alias",
    }
    assert any(each.follow for seed in range(200) for each in written(seed, size).scalars)
