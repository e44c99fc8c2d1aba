"""YAML as people write it, in many styles, with the scalar that is to be edited known to the character."""

from __future__ import annotations

import os
from random import Random
from typing import NamedTuple

EXAMPLES = int(os.environ.get("GITOPS_BOT_EXAMPLES", "300"))
"""How many files each property takes: some hundred in the ordinary run, GITOPS_BOT_EXAMPLES=10000 in the long one."""
KEYS = [
    "image",
    "tag",
    "a",
    "replicas",
    "größe",
    "x.y",
    "key with blanks",
    "api/v1",
    "k1",
    "env",
    "日本",
    "sha",
    "q'q",
    "0",
    "true-ish",
]
TEXTS = [
    "v1",
    "1.2.3",
    "sha-abc1234",
    "ghcr.io/acme/api",
    "hello world",
    "it is",
    "a,b",
    "größe",
    "🎉 yes",
    "s3://m/v1/",
    "x",
]
LITERALS = ["1", "0.5", "1.10", "true", "yes", "null", "~", "2024-06-27", "12:30", "0x1F", "1e3", "0123"]


class Scalar(NamedTuple):
    """One value of a generated file."""

    path: tuple[object, ...]
    """Document's index first, then keys and indexes."""
    start: int
    """Of its characters, anchor and tag left out; where they would begin for an empty value."""
    end: int
    style: str
    """plain, single, double, literal, folded, empty, lines, alias, number."""
    tagged: bool
    follow: tuple[tuple[object, ...], ...] = ()
    """Paths of the aliases that follow it."""


class Written(NamedTuple):
    text: str
    scalars: tuple[Scalar, ...]


class Writer:
    """Writes one file; every choice comes from the random source."""

    def __init__(self, random: Random, size: int) -> None:
        self.random = random
        self.size = size
        self.out: list[str] = []
        self.length = 0
        self.column = 0
        self.scalars: list[Scalar] = []
        self.anchors: dict[str, int] = {}
        self.count = 0
        self.newline = random.choice(["\n", "\n", "\n", "\r\n"])

    def put(self, text: str) -> None:
        self.out.append(text)
        self.length += len(text)
        cut = max(text.rfind("\n"), text.rfind("\r"))
        self.column = len(text) - cut - 1 if cut >= 0 else self.column + len(text)

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    # -- files and documents

    def file(self) -> Written:
        random = self.random
        if self.chance(15):
            self.put("# " + random.choice(["values", "größe 🎉", "tag: v1"]) + self.newline)
        documents = random.choice([1, 1, 1, 2, 3])
        if self.chance(8):
            self.put("%YAML 1.1" + self.newline + "---" + self.newline)
        elif self.chance(20):
            self.put(random.choice(["---", "--- # c"]) + self.newline)
        for index in range(documents):
            if index:
                if self.chance(20):
                    self.put("..." + self.newline)
                self.put("---" + self.newline)
            self.anchors.clear()
            top = random.choice(["mapping"] * 8 + ["list", "json"])
            if top == "mapping":
                self.mapping((index,), 0, 0)
            elif top == "list":
                self.list((index,), 0, 0)
            else:
                self.flow((index,), 0, json=True)
                self.put(self.newline)
        text = "".join(self.out)
        if self.chance(15) and not text.endswith(("\n" + self.newline, "-" + self.newline)):
            text = text.removesuffix(self.newline)
        spans = tuple(each for each in self.scalars if each.end <= len(text))
        return Written(text, spans)

    def space(self, indent: int) -> None:
        """Blank lines and comments between entries."""
        behind_block = self.scalars and self.scalars[-1].style in ("literal", "folded")
        if self.chance(8) and not behind_block:  # there it might belong to the text
            self.put(self.newline)
        if self.chance(8):
            deeper = indent if behind_block else indent + 2
            self.put(" " * self.random.choice([indent, 0, deeper]) + "# tag: v1 'x\" {" + self.newline)

    def comment(self) -> None:
        if self.chance(15):
            self.put(
                self.random.choice(["  ", " ", "      ", "\t"])
                + "# "
                + self.random.choice(["c", "größe", "- x: y", "'"])
            )
        elif self.chance(8):
            self.put(" ")
        self.put(self.newline)

    # -- block style

    def mapping(self, path: tuple[object, ...], indent: int, depth: int, *, first_here: bool = False) -> None:
        """Entries at ``indent``; the first one on the line that is begun, when ``first_here``."""
        names = self.random.sample(KEYS, self.random.randint(1, min(len(KEYS), 1 + self.size)))
        for number, name in enumerate(names):
            if not (first_here and number == 0):
                self.space(indent)
                self.put(" " * indent)
            self.put(self.key(name) + ":")
            self.value((*path, name), indent, depth)

    def key(self, name: str) -> str:
        style = self.random.choice(["plain"] * 6 + ["single", "double"])
        if style == "single":
            return "'" + name.replace("'", "''") + "'"
        return f'"{name}"' if style == "double" else name

    def list(self, path: tuple[object, ...], indent: int, depth: int) -> None:
        for number in range(self.random.randint(1, 3)):
            self.space(indent)
            self.put(" " * indent + "-")
            kind = self.random.choice(["scalar", "scalar", "mapping", "list"]) if depth < 3 else "scalar"
            if kind == "mapping":
                gap = self.random.choice([1, 1, 3])
                self.put(" " * gap)
                self.mapping((*path, number), indent + 1 + gap, depth + 1, first_here=True)
            elif kind == "list" and self.chance(30):
                self.put(self.newline)
                self.list((*path, number), indent + 2, depth + 1)
            else:
                self.scalar((*path, number), indent)

    def value(self, path: tuple[object, ...], indent: int, depth: int) -> None:
        kind = self.random.choice(["scalar"] * 5 + ["mapping", "mapping", "list", "flow"]) if depth < 4 else "scalar"
        deeper = indent + self.random.choice([2, 2, 2, 4, 1, 3])
        if kind == "scalar":
            self.scalar(path, indent)
        elif kind == "flow":
            self.put(" ")
            self.flow(path, depth)
            self.comment()
        else:
            if self.chance(10):
                self.put(" # of this")
            self.put(self.newline)
            if kind == "mapping":
                self.mapping(path, deeper, depth + 1)
            else:
                self.list(path, self.random.choice([indent, deeper]), depth + 1)

    def scalar(self, path: tuple[object, ...], indent: int) -> None:
        """A value behind a colon or a dash, to the end of its line or lines."""
        random = self.random
        styles = ["plain"] * 6 + [
            "single",
            "double",
            "double",
            "number",
            "empty",
            "literal",
            "folded",
            "lines",
            "quotedlines",
        ]
        style = random.choice(styles)
        if self.anchors and self.chance(12):
            self.alias(path)
            self.comment()
            return
        name, tagged = "", False
        if style not in ("empty", "number") and self.chance(10):
            self.count += 1
            name = f"x{self.count}"
            self.put(f" &{name}")
        if style not in ("empty", "number") and self.chance(8):
            tagged = True
            self.put(" !!str")
        if style == "empty":
            self.put(" " if self.out[-1].endswith("-") else random.choice(["", " "]))
            at = self.length
            self.scalars.append(Scalar(path, at, at, style, tagged))
            if self.out[-1] == " ":
                self.put(self.newline)
            else:
                self.comment()
            return
        if style in ("literal", "folded"):
            self.block(path, indent, style, tagged=tagged)
        else:
            self.put(random.choice([" ", " ", " ", "   ", "\t" if self.out[-1].endswith(":") else " "]))
            if style in ("plain", "number", "single", "double") and self.chance(5) and not name and not tagged:
                self.put(self.newline + " " * (indent + 2))
            self.inline(path, style, indent, tagged=tagged)
            self.comment()
        if name:
            self.anchors[name] = len(self.scalars) - 1

    def inline(
        self, path: tuple[object, ...], style: str, indent: int, *, tagged: bool = False, flow: bool = False
    ) -> None:
        random = self.random
        text = random.choice(LITERALS if style == "number" else TEXTS)
        if flow and style == "plain":
            text = random.choice(["v1", "1.2.3", "x", "größe"])
        pad = self.newline + " " * (indent + 2)
        written = {
            "single": "'" + text + random.choice(["", "''s"]) + "'",
            "double": '"' + text + random.choice(["", "\\n", ' \\"q\\"', "\\u00e9"]) + '"',
            "lines": f"one{pad}two{pad}three",
            "quotedlines": f'"one{pad}two{self.newline}{pad}three"',
        }.get(style, text)
        start = self.length
        self.put(written)
        self.scalars.append(Scalar(path, start, self.length, style, tagged))

    def block(self, path: tuple[object, ...], indent: int, style: str, *, tagged: bool) -> None:
        random = self.random
        deeper = random.choice([1, 2, 2, 4])
        chomp = random.choice(["", "-", "+"])
        hint = str(deeper) if self.chance(15) else ""
        self.put(" ")
        start = self.length
        self.put(("|" if style == "literal" else ">") + random.choice([chomp + hint, hint + chomp]))
        if self.chance(10):
            self.put(" # head")
        self.put(self.newline)
        rows = [random.choice(["tag: v1", "größe", "# no comment", "- x"]) for _each in range(random.randint(1, 3))]
        if len(rows) > 1 and self.chance(30):
            rows.insert(1, "")
        for row in rows:
            self.put((" " * (indent + deeper) + row if row else "") + self.newline)
        end = self.length - len(self.newline)
        if self.chance(20):
            self.put(self.newline)
            end = self.length - len(self.newline) if chomp == "+" else end
        self.scalars.append(Scalar(path, start, end, style, tagged))

    def alias(self, path: tuple[object, ...]) -> None:
        name = self.random.choice(sorted(self.anchors))
        self.put(" ")
        start = self.length
        self.put(f"*{name}")
        at = self.anchors[name]
        self.scalars[at] = self.scalars[at]._replace(follow=(*self.scalars[at].follow, path))
        self.scalars.append(Scalar(path, start, self.length, "alias", tagged=False))

    # -- flow style

    def flow(self, path: tuple[object, ...], depth: int, *, json: bool = False) -> None:
        random = self.random
        lines = self.chance(20)
        gap = random.choice(["", " "])
        is_list = self.chance(40)
        comma = "," + (self.newline + " " * (4 * depth + 4) if lines else random.choice([" ", "  "]))
        self.put(("[" if is_list else "{") + gap)
        names = (
            list(range(random.randint(1, 3)))
            if is_list
            else random.sample(["a", "b", "tag", "é"], random.randint(1, 3))
        )
        for number, name in enumerate(names):
            if number:
                self.put(comma)
            if not is_list:
                self.put(f'"{name}": ' if json else f"{name}: ")
            if depth < 3 and self.chance(20):
                self.flow((*path, name), depth + 1, json=json)
            elif json:
                self.inline((*path, name), random.choice(["double", "number"]), 0, flow=True)
            elif self.anchors and self.chance(10):
                self.alias((*path, name))
                self.put(" ")
            else:
                self.inline(
                    (*path, name), random.choice(["plain", "plain", "single", "double", "number"]), 0, flow=True
                )
        self.put(gap + ("]" if is_list else "}"))


def written(seed: int, size: int) -> Written:
    """One file, the same for the same seed and size."""
    return Writer(Random(seed), size).file()
