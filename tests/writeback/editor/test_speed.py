"""A long file is little work, and no input makes the work grow faster than the file."""

from __future__ import annotations

import pytest

from gitops_bot.writeback.editor.address import parse
from gitops_bot.writeback.editor.edit import Edit, edit
from gitops_bot.writeback.editor.problems import EditRefused
from tests.counting import steps


def values(services: int) -> bytes:
    return "".join(
        f"svc{number}:\n  image:\n    repository: ghcr.io/acme/svc{number}\n    tag: \"1.2.{number}\" # c\n"
        "  env:\n    - name: A\n      value: b\n  replicas: 3\n"
        for number in range(services)
    ).encode()  # fmt: skip


def test_sixteen_thousand_lines():
    data = values(2000)
    assert data.count(b"\n") == 16_000
    for path in ("svc1990.image.tag", "svc1990.image.digest"):
        wanted = [Edit(address=parse(path), value="v2")]
        work = steps(lambda wanted=wanted: edit(data, wanted, create=True))
        assert work < 100 * 16_000, f"{work} calls for {path}"


@pytest.mark.parametrize(
    "make",
    [
        lambda size: (values(size // 8), [Edit(address=parse(f"svc{number}.image.tag"), value="v2") for number in range(size // 8)]),
        lambda size: (b"a: v1\n" + b"k: {" + b"x: 1, ".join(b"" for _ in range(2)) + b"}\n" * 1 + b"# c\n" * size, [Edit(address=parse("a"), value="v2")]),
        lambda size: (b"a: v1\nl: [" + b"1, " * size + b"2]\n", [Edit(address=parse("a"), value="v2")]),
        lambda size: (b"a: v1\n" + b"---\nb: 1\n" * size, [Edit(address=parse("a"), value="v2")]),
        lambda size: (b"a: v1\nb: &x 1\nl:\n" + b"- *x\n" * size, [Edit(address=parse("a"), value="v2")]),
        lambda size: (b"a: |\n" + b"  t: v1\n\n" * 1 + b"  # c\n" * size, [Edit(address=parse("a | t"), value="v2")]),
        lambda size: (b"a: '" + b"1" * 20 * size + b"'\n", [Edit(address=parse("a"), value="1" * 20 * size + "2")]),
    ],
    ids=["many edits", "comments", "a long list", "documents", "aliases", "inside a text", "a long number"],
)  # fmt: skip
def test_work_grows_no_faster_than_the_file(make):
    small, large = make(2_000), make(16_000)
    assert steps(lambda: edit(*large)) < 8 * steps(lambda: edit(*small)) * 1.5


def test_a_missing_name_among_many_is_refused():
    data = b"".join(b"%s%d: 1\n" % (b"k" * 150, number) for number in range(20_000))
    with pytest.raises(EditRefused):
        edit(data, [Edit(address=parse("k" * 149 + "x"), value="1")])
