"""Files that people wrote: every YAML file of the examples and fixtures, each of its scalars edited in turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops_bot.writeback.editor.address import parse
from gitops_bot.writeback.editor.edit import Edit, edit
from gitops_bot.writeback.editor.problems import EditRefused
from gitops_bot.writeback.editor.read import read, scalars
from tests.writeback.editor.judges import judge

ROOT = Path(__file__).parents[3]
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("examples", "tests/fixtures", ".github")
    for path in (ROOT / folder).rglob("*.y*ml")
    if "templates" not in path.parts
)


@pytest.mark.parametrize("name", FILES)
def test_each_scalar_can_be_edited(name, goyaml):
    before = (ROOT / name).read_bytes()
    values = list(scalars(before))
    assert values
    for number, value in enumerate(values):
        assert read(before, value.address) == value
        new = ("1.10", "v2", "it's: #x")[number % 3]
        try:
            edited = edit(before, [Edit(address=parse(str(value.address)), value=new)])
        except EditRefused as refused:
            pytest.fail(f"{value.address}: {refused.message}")
        assert edited.outcomes[0].line == value.line
        back = edit(edited.data, [Edit(address=value.address, value=value.text)])
        there = read(back.data, value.address)
        assert there is not None
        assert (there.text, there.was) == (value.text, "string")
        if number % 10 == 0:
            document = value.address.document
            path = [step[0] for step in value.address.paths[0]]
            judge(goyaml, before, edited.data, {(document.number if document else 0, *path): new})
