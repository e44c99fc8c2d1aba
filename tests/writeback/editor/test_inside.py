"""A value inside a text: edited there, or edited alone and put back, the file is the same."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_bot.writeback.editor.address import Address, Index, Key, parse
from gitops_bot.writeback.editor.edit import Edit, edit
from gitops_bot.writeback.editor.problems import EditRefused
from tests.writeback.editor.written import EXAMPLES, written


def put_in(text: str, newline: str) -> str:
    """The text as the literal block of a key, whatever it begins and ends with."""
    rows = text.split("\n")
    last = rows.pop() if rows[-1] == "" else None
    body = newline.join("   " + row if row else "" for row in rows)
    return f"# é{newline}spec:{newline}  values: |1+{newline}{body}{newline if last is not None else ''}"


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.integers(0, 2**32), st.integers(1, 6), st.integers(0, 10_000), st.booleans(), st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["v2", "1.10", "a: b", "x\ny\n", ""]),
)  # fmt: skip
def test_inside_is_as_outside(seed, size, pick, new_key, newline, value):
    file = written(seed, size)
    inner = file.text.replace("\r\n", "\n")
    if "---" in inner or "..." in inner or inner.startswith("%"):
        return
    path = file.scalars[pick % len(file.scalars)].path[1:]
    steps = tuple(Index(step) if isinstance(step, int) else Key(str(step)) for step in path)
    steps = (*steps[:-1], Key("brand new"), Key("tag")) if new_key else steps
    outer = put_in(inner, newline).encode()
    address = Address((parse("spec.values").paths[0], steps))
    try:
        alone = edit(inner.encode(), [Edit(address=Address((steps,)), value=value)], create=True)
    except EditRefused as caught:
        reason = caught.problems[0].reason
        alone = None
    try:
        inside = edit(outer, [Edit(address=parse(str(address)), value=value)], create=True)
    except EditRefused as caught:
        inside, refused = None, caught.problems[0].reason
    if alone is None:
        assert inside is None
        assert reason in refused
        return
    assert inside is not None, refused
    assert inside.data.decode() == put_in(alone.data.decode(), newline)
    assert inside.changed == alone.changed
    if not (seed % 3):  # the line in the file is the one where the value stands
        assert inside.outcomes[0].line == alone.outcomes[0].line + 3
