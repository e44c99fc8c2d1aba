"""Leaving out equal text changes how fast the answer comes, never the answer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_bot.manifests import yaml
from gitops_bot.manifests.fields import differences
from gitops_bot.manifests.pair import compare_pair
from gitops_bot.manifests.prune import prune
from gitops_bot.manifests.yaml import Unchanged, YamlError
from gitops_bot.model.resource import ResourceKey
from tests.manifests.streams import VALUES

HEAD = "apiVersion: acme.io/v1\nkind: Thing\nmetadata:\n  name: x\n"
KEY = ResourceKey("acme.io", "Thing", "", "x")


def pruned(before: str, after: str):
    return prune((HEAD + before).encode(), (HEAD + after).encode(), worth=0)


def fields(old, new):
    return [(each.change.path, each.change.before, each.change.after) for each in differences(old, new, built_in=False)]


def check(before: str, after: str) -> bool:
    """Whether it was pruned; if it was, the comparison is that of the whole documents."""
    found = pruned(before, after)
    if found is None:
        return False
    old, new = (yaml.load((HEAD + each).encode()) for each in (before, after))
    assert fields(*found) == fields(old, new)
    return True


LONG = "".join(f"    k{number}: {number}\n" for number in range(10))


def test_long_equal_parts_are_left_out():
    old, new = pruned(f"spec:\n  a:\n{LONG}  b: 1\n", f"spec:\n  a:\n{LONG}  b: 2\n")
    assert old["spec"] == {"a": Unchanged(10), "b": 1}
    assert new["spec"] == {"a": Unchanged(10), "b": 2}
    change = compare_pair(old, new, key=KEY)
    assert change is not None
    assert "   a: # (10 unchanged lines)\n-  b: 1\n+  b: 2\n" in change.diff
    assert "Unchanged" not in repr(change)


def test_a_part_that_moved_or_went_is_no_equal_part():
    old, new = pruned(f"spec:\n  a:\n{LONG}  b: 1\n", f"spec:\n  c:\n{LONG}  b: 1\n")
    assert len(old["spec"]["a"]) == len(new["spec"]["c"]) == 10


def test_items_are_left_out_of_lists_only_by_name():
    items = "".join(
        f"  - name: v{number}\n    schema:\n      deep:\n{LONG.replace('    ', '        ')}" for number in (1, 2)
    )
    assert check(
        f"spec:\n  versions:\n{items}  x: 1\n", f"spec:\n  versions:\n{items.replace('k3: 3', 'k3: 4')}  x: 2\n"
    )
    swapped = items.replace("v1", "v9").replace("v2", "v1").replace("v9", "v2")
    assert check(f"spec:\n  versions:\n{items}", f"spec:\n  versions:\n{swapped.replace('k3: 3', 'k3: 4', 1)}")
    mounts = items.replace("schema", "mountPath")
    assert check(f"spec:\n  volumeMounts:\n{mounts}", f"spec:\n  volumeMounts:\n{mounts.replace('k3: 3', 'k3: 4', 1)}")


PARTS = {
    "block": "  a: |\n    x: 1\n    - y\n    'z\n    # no\n",
    "keep": "  a: |+\n    x\n\n\n",
    "folded": "  a: >-\n    x: {\n    y\n",
    "plain over lines": "  a: one two\n    three * four\n    'five\n",
    "double over lines": '  a: "one\n    two: x\n    three"\n',
    "single over lines": "  a: 'it''s\n    two: x\n    - three'\n",
    "flow": "  a: [x, 'y', \"z\"]\n  c: {d: e}\n  f: []\n",
    "list": "  a:\n  - x\n  - y: 1\n    z: 2\n  -\n    w: 1\n",
    "deeper list": "  a:\n    - x\n    - |\n      y\n",
    "comment": "  # c\n  a: 1 # c\n",
    "empty": "  a:\n  c: ''\n  d: ~\n",
    "words": "  yes: 1\n  017: 2\n  1.5: 3\n",
    "quoted keys": "  \"a\": 1\n  'k/v': 2\n",
    "hash in text": "  a: x#y\n  c: 'x # y'\n",
    "colon in text": "  a: http://x\n  c: ':x'\n",
    "numbers": "  a: 1\n  c: 1.50\n  d: 0x1f\n  e: -1\n  f: .5\n",
    "blank": "  a:\n\n    x: 1\n\n",
}


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(sorted(PARTS)), min_size=1, max_size=3, unique=True), st.data())
def test_pruned_and_whole_compare_alike(names, data):
    def text():
        out = ""
        for index, name in enumerate(names):
            part = PARTS[name]
            if data.draw(st.booleans()):
                part = part.replace("x", "q")
            if data.draw(st.booleans()):
                part += "".join(f"  more{number}: 1\n" for number in range(6))
            out += f"part{index}:\n" + part
        return out

    check(text(), text())


@pytest.mark.parametrize("name", sorted(PARTS))
def test_plain_block_style_is_pruned(name):
    part = PARTS[name]
    assert check(f"s:\n{part}t: 1\nu:\n{part}  l:\n{LONG}", f"s:\n{part}t: 2\nu:\n{part}  l:\n{LONG}")


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4),
    st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4),
)
def test_any_values_compare_alike(one, other):
    check(yaml.dump({"spec": one, "z": 1}), yaml.dump({"spec": other, "z": 2}))


@pytest.mark.parametrize(
    "text",
    [
        "a: &x\n  b: 1\nc: *x\n",
        "a: {\n  b: 1}\n",
        "a: [x,\nb: c, d: e]\n",
        'a: "x\nb: y"\n',
        "a: 'x\nb: y'\n",
        "a:\n\tb: 1\n",
        "a: !!str 1\n",
        "? a\n: 1\n",
        "<<: {a: 1}\n",
        "a: 1\na: 2\n",
        "yes: 1\ntrue: 2\n",
        "a: 1\r\nb: 2\r\n",
        "a: x: y\n",
        "a: 'x' y\n",
        "a: 1\n  b: 2\n  c: 3\nd: 1\n - e\n",
        "a:\n    b: 1\n  c: 2\n",
        "a: x\u2028b: 1\n",
        "a\n",
        "a: b\n...\nc: d\n",
    ],
)
def test_what_is_not_plain_is_parsed_whole(text):
    tail = f"l:\n{LONG}z: "
    found = pruned(text + tail + "1\n", text + tail + "2\n")
    try:
        old, new = (yaml.load((HEAD + text + tail + end).encode()) for end in ("1\n", "2\n"))
    except YamlError:
        return
    assert found is None or fields(*found) == fields(old, new)


def test_it_gives_up_on_what_it_must_not_touch():
    for text in ("a: &x 1\n", "a: {\n b: 1}\n", "a: 'x\nb: y'\n", "a: 1\na: 2\n", "a: [x,\nb: c, d: e]\n"):
        assert pruned(text, text + "z: 1\n") is None
    assert prune(b"a: 1\n" * 10, b"a: 2\n" * 10) is None
