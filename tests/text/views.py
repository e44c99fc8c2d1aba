"""Views of any size for the tests of what is made from them."""

from __future__ import annotations

import itertools

from hypothesis import strategies as st

from gitops_bot.model.change import FieldChange
from gitops_bot.model.signal import CATALOGUE
from gitops_bot.text.view import Block, ImageRow, Member, Missing, Plan, Risk, Section, View
from tests.text.test_escape import hostile

LINES = (
    "  replicas: 3",
    "  text: 中文字符 和 🎉🎉🎉 é e\u0301\u0301",
    "  ```",
    "  ````diff",
    "~~~~~~",
    "  a: </details></summary><!-- @bob fixes #12 https://evil.example",
    "\t\x1b[31mred\u202e\r",
    "  " + "`" * 40,
    "  x: " + "y" * 300,
)


def diff_of(size: int, start: int = 0) -> str:
    """A unified diff of about this many characters, with all that is hard about lines."""
    lines, length = ["@@ -1,7 +1,7 @@"] * bool(size), 0
    for number in itertools.count(start):
        if length >= size:
            break
        lines.append("+- "[number % 3] + LINES[number % len(LINES)])
        length += len(lines[-1]) + 1
        if number % 50 == 49:
            lines.append("@@ -100,7 +100,9 @@")
    return "\n".join(lines) + "\n" * bool(lines)


def block(number: int, diff: str = "", *, action: str = "changed", apps: int = 1, kind: str = "Deployment") -> Block:
    names = tuple(f"shop-{number}-{index:03}" for index in range(apps))
    return Block(
        action=action,
        kind=kind,
        group="apps",
        members=tuple(Member(namespace=name, name="web", targets=(name,)) for name in names),
        summary=("replicas", "image"),
        fields=(FieldChange(path="spec.replicas", before=3, after=5),) if action == "changed" else (),
        diff=diff,
        consequence="its pods stop" if action == "removed" and number % 7 == 0 else "",
    )


def view_of(*blocks: Block, later: tuple[Block, ...] = (), **more: object) -> View:
    sections = [Section(phrase="1 to add, 2 to change, 3 to remove", blocks=blocks)] if blocks else []
    sections += [Section(reaches="v*.*.*", phrase="0 to add, 1 to change, 0 to remove", blocks=later)] if later else []
    return View(
        **{
            "verdict": "changes",
            "headline": "1 to add, 2 to change, 3 to remove",
            "compared": "main (0123abc4) against the result of merging 89abcdef",
            "coverage": "rendered 4 of 243 targets; 238 unaffected; 0 failed; 1 skipped",
            "sections": tuple(sections),
            "notes": ("Kubernetes version 1.36, from .gitops-bot.yaml",),
            "tools": (("helm", "v4.2.3"),),
            **more,
        }
    )


def risk(id_: str, *objects: str, **more: object) -> Risk:
    meaning = CATALOGUE[id_]
    return Risk(
        **{
            "id": id_,
            "severity": meaning.severity,
            "title": meaning.title,
            "explanation": meaning.explanation,
            "message": "spec.selector changes",
            "objects": objects,
            "targets": ("shop",),
            **more,
        }
    )


SIZES = st.sampled_from([0, 1, 80, 900, 5_000, 30_000])


@st.composite
def views(draw, *, texts=hostile, most=12, sizes=SIZES):
    """Views with everything in them, small to far beyond any limit."""

    def text():
        return draw(texts)

    def several(make, limit=6):
        return tuple(make() for _ in range(draw(st.integers(0, limit))))

    def names():
        return tuple(dict.fromkeys((text(), *several(text, 3))))

    def member():
        return Member(namespace=text(), name=text(), renamed_from=draw(st.none() | texts), targets=names())

    def one():
        return Block(
            action=draw(st.sampled_from(["added", "changed", "removed"])),
            kind=text(),
            group=text(),
            hook=draw(st.none() | texts),
            members=(member(), *several(member, 3)),
            summary=several(text),
            fields=several(lambda: FieldChange(path=text(), before=text(), after=draw(st.integers()))),
            diff=diff_of(draw(sizes), draw(st.integers(0, 8))),
            folded=several(lambda: FieldChange(path=text())),
            hidden=draw(st.integers(0, 2)),
            consequence=draw(st.sampled_from(["", "its pods stop"])),
        )

    def raised():
        return Risk(
            id=draw(st.sampled_from(sorted(CATALOGUE))),
            severity=draw(st.sampled_from(["error", "warning", "info"])),
            title=text(),
            message=text(),
            explanation=text(),
            objects=several(text),
            targets=names(),
            silenced=draw(st.none() | texts),
            reaches=draw(st.sampled_from(["", "v*"])),
        )

    def image():
        return ImageRow(image=text(), before=text(), after=text(), targets=names())

    blocks = tuple(one() for _ in range(draw(st.integers(0, most))))
    later = tuple(one() for _ in range(draw(st.integers(0, 3))))
    sections = [Section(phrase="1 to add", blocks=blocks)] if blocks else []
    sections += [Section(reaches="v*", phrase="2 to add", images=several(image), blocks=later)] if later else []
    return View(
        verdict=draw(st.sampled_from(["none", "changes", "removals", "failed"])),
        headline=text(),
        details=several(text),
        compared=text(),
        conflicts=several(text),
        coverage=text(),
        missing=several(lambda: Missing(ids=names(), reason=text(), failed=draw(st.booleans()))),
        risks=several(raised),
        routine=draw(st.booleans()),
        images=several(image),
        sections=tuple(sections),
        noise=several(one, 2),
        ignored=several(one, 2),
        warnings=several(lambda: (text(), text())),
        moved=several(lambda: (text(), text())),
        plans=several(lambda: Plan(target=text(), status="changed", plan=draw(st.none() | texts), reason=text())),
        plan=draw(st.none() | texts),
        plan_reason=text(),
        notes=several(text),
        tools=several(lambda: (text(), text())),
    )
