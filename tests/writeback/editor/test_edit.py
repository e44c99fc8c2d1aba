"""Every line of what is known about editing YAML, each as a file before and after, byte by byte.

Where a case says so, PyYAML, ruamel.yaml and Go's readers judge it too: they read the new value, and the rest as before.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from gitops_bot.manifests.yaml import MAX_ALIASED
from gitops_bot.writeback.editor.address import parse
from gitops_bot.writeback.editor.edit import Edit, edit
from gitops_bot.writeback.editor.nodes import MAX_BYTES
from gitops_bot.writeback.editor.problems import EditRefused
from tests.writeback.editor.judges import judge


class Case(NamedTuple):
    name: str
    address: str
    value: str
    before: str
    after: str
    reads: tuple[tuple[object, ...], ...] | None = ()
    """Paths (a document's index first) at which the value is then read; none: nobody else is asked."""


def steps(*path: object) -> tuple[tuple[object, ...], ...]:
    return ((0, *path),)


A = steps("a")
CASES = [
    # plain values and their quotes
    Case("plain", "a", "v2", "a: v1\n", "a: v2\n", A),
    Case("nested", "a.b", "v2", "a:\n  b: v1\n  c: x\n", "a:\n  b: v2\n  c: x\n", steps("a", "b")),
    Case("single quotes are kept", "a", "v2", "a: 'v1'\n", "a: 'v2'\n", A),
    Case("double quotes are kept", "a", "v2", 'a: "v1"\n', 'a: "v2"\n', A),
    Case("a quote in single quotes", "a", "it's", "a: 'v1'\n", "a: 'it''s'\n", A),
    Case("a quote in double quotes", "a", 'so "it"\\is', 'a: "v1"\n', 'a: "so \\"it\\"\\\\is"\n', A),
    Case("single quotes cannot hold a newline", "a", "x\ny", "a: 'v1'\n", 'a: "x\\ny"\n', A),
    Case("what cannot be seen is escaped", "a", "\x01\u200b\U000e0001\t", "a: v\n", 'a: "\\u0001\\u200b\U000e0001\\t"\n', A),
    Case("what can be seen is not", "a", "größe 🎉", "a: v\n", 'a: "größe 🎉"\n', A),
    Case("a comment-like value", "a", "x #y", "a: v\n", 'a: "x #y"\n', A),
    Case("a mapping-like value", "a", "x: y", "a: v\n", 'a: "x: y"\n', A),
    Case("an image", "a", "ghcr.io:5000/a/b:v1@sha256:0f", "a: x\n", "a: ghcr.io:5000/a/b:v1@sha256:0f\n", A),
    Case("a location", "a", "s3://models/churn/v1/", "a: x\n", "a: s3://models/churn/v1/\n", A),
    Case("an empty text", "a", "", "a: x\n", 'a: ""\n', A),
    Case("blanks at the ends", "a", " x ", "a: x\n", 'a: " x "\n', A),
    Case("an alias-like value", "a", "*x", "a: x\n", 'a: "*x"\n', A),
    Case("a number becomes text", "a", "v1", "a: 12\n", "a: v1\n", A),
    Case("a number stays text in text", "a", "13", "a: '12'\n", "a: '13'\n", A),
    # what some reader takes for something else
    *(
        Case(f"{text} is quoted", "a", text, "a: v1\n", f'a: "{text}"\n', A)
        for text in (
            *("1e3", "680841e1", "1e+3", "0o17", "yes", "on", "No", "y", "12:30", "1_000", "0E_-0", "1e+_3", "2024-06-27", "0123", "1.10"),
            *("0x1F", ".5", "~", "null", "TRUE", "1234567", "2024-06-27T12:30:00Z", "2024-06-27 12:30:00", ".inf", "-.INF"),
            *(".nan", "0b11", "1.", "-1", "+1", "1_0.5e3", "190:20:30", "190:20:30.15", "=", "<<", "-", "?", "...", "---"),
        )
    ),
    *(
        Case(f"{text} is not quoted", "a", text, "a: v1\n", f"a: {text}\n", A)
        for text in ("1.2.3", "v1.10", "sha-680841e", "a680841", "680841a", "2024-06-27-abc", "1.2.3-rc.1+b5", "12-30", "_1a",
                     "yesterday", "nullable", "main", "1.10.0", "latest")
    ),
    # the bytes around it
    Case("a byte order mark", "a", "v2", "\ufeffa: v1\n", "\ufeffa: v2\n", A),
    Case("a byte order mark and a nested value", "a.b", "v2", "\ufeffa:\n  b: v1 # c\n", "\ufeffa:\n  b: v2 # c\n", steps("a", "b")),
    Case("carriage returns", "b", "v2", "a: 1\r\nb: v1\r\nc: 2\r\n", "a: 1\r\nb: v2\r\nc: 2\r\n", steps("b")),
    Case("mixed line ends", "b", "v2", "a: 1\r\nb: v1\nc: 2\r\n", "a: 1\r\nb: v2\nc: 2\r\n", steps("b")),
    Case("no final newline", "a", "v2", "a: v1", "a: v2", A),
    Case("blanks at the end of the line", "a", "v2", "a: v1  \t\n", "a: v2  \t\n", A),
    Case("an aligned comment", "a", "v22", "a: v1     # c\nb: x      # d\n", "a: v22     # c\nb: x      # d\n", A),
    Case("a tab before a comment", "a", "v2", "a: v1\t# c\n", "a: v2\t# c\n", A),
    Case("a comment that holds the value", "a", "v2", "# a: v1\na: v1 # not v1\n", "# a: v1\na: v2 # not v1\n", A),
    Case("tabs between", "a", "v2", "a:\tv1\n", "a:\tv2\n", A),
    Case("many blanks between", "a", "v2", "a:     v1\n", "a:     v2\n", A),
    Case("a value on its own line", "a", "v2", "a:\n    v1\nb: 1\n", "a:\n    v2\nb: 1\n", A),
    Case("blank lines and comments between", "b.c", "v2", "b:\n\n  # x\n\n  c: v1\n\n\n", "b:\n\n  # x\n\n  c: v2\n\n\n", steps("b", "c")),
    Case("indentation of three and seven", "a.b.c", "v2", "a:\n   b:\n          c: v1\n", "a:\n   b:\n          c: v2\n", steps("a", "b", "c")),
    Case("non-ASCII before it on its line", "a.é", "v2", "a: {ü: ä🎉, é: v1}\n", "a: {ü: ä🎉, é: v2}\n", steps("a", "é")),
    Case("non-ASCII before it in the file", "b", "v2", "# 🎉 größe\na: ß\nb: v1\n", "# 🎉 größe\na: ß\nb: v2\n", steps("b")),
    Case("a very long line", "a.z", "v2", "a: {x: " + "y" * 70_000 + ", z: v1}\n", "a: {x: " + "y" * 70_000 + ", z: v2}\n", steps("a", "z")),
    # braces and brackets
    Case("a flow mapping, a comma after it", "a.b", "v2", "a: {b: v1, c: d}\n", "a: {b: v2, c: d}\n", steps("a", "b")),
    Case("a flow mapping, a brace after it", "a.c", "v2", "a: {b: x, c: v1}\n", "a: {b: x, c: v2}\n", steps("a", "c")),
    Case("a flow list", "a[1]", "v2", "a: [x, v1, y]\n", "a: [x, v2, y]\n", steps("a", 1)),
    Case("colons are quoted within braces", "a.b", "x:v2", "a: {b: v1}\n", 'a: {b: "x:v2"}\n', steps("a", "b")),
    Case("commas are quoted within brackets", "a[0]", "x,y", "a: [v1]\n", 'a: ["x,y"]\n', steps("a", 0)),
    Case("braces over lines", "a.c", "v2", "a: {\n  b: x,\n  c: v1 # k\n}\n", "a: {\n  b: x,\n  c: v2 # k\n}\n", steps("a", "c")),
    Case("JSON", "a.b", "v2", '{"a": {"b": "v1", "c": [1]}}\n', '{"a": {"b": "v2", "c": [1]}}\n', steps("a", "b")),
    Case("JSON stays JSON", "a.b", "v2", '{"a": {"b": 1}}\n', '{"a": {"b": "v2"}}\n', steps("a", "b")),
    Case("a block list", "a[1]", "v2", "a:\n- x\n- v1\n", "a:\n- x\n- v2\n", steps("a", 1)),
    Case("a list in a list", "a[0][1]", "v2", "a:\n- - x\n  - v1\n", "a:\n- - x\n  - v2\n", steps("a", 0, 1)),
    Case("an item by its field", "c[name=api].image", "v2", "c:\n  - name: web\n    image: x\n  - image: v1\n    name: api\n",
         "c:\n  - name: web\n    image: x\n  - image: v2\n    name: api\n", steps("c", 1, "image")),
    Case("the same key in different maps", "b.tag", "v2", "a:\n  tag: v1\nb:\n  tag: v1\nc:\n  tag: v1\n",
         "a:\n  tag: v1\nb:\n  tag: v2\nc:\n  tag: v1\n", steps("b", "tag")),
    Case("the same image in several places", "web.image", "api:2", "api:\n  image: api:1\nweb:\n  image: api:1\n",
         "api:\n  image: api:1\nweb:\n  image: api:2\n", steps("web", "image")),
    Case("keys in quotes", r"a\.b.c", "v2", "'a.b':\n  \"c\": v1\n", "'a.b':\n  \"c\": v2\n", steps("a.b", "c")),
    Case("keys that are numbers", "1.2", "v2", "1:\n  2: v1\n", "1:\n  2: v2\n", steps(1, 2)),
    Case("explicit keys", "a", "v2", "? a\n: v1\n? b\n: x\n", "? a\n: v2\n? b\n: x\n", A),
    Case("braces that are no JSON", "a", "v2", "{a: v1}\n", "{a: v2}\n", A),
    # empty values
    Case("an empty value", "a", "v2", "a:\nb: 1\n", "a: v2\nb: 1\n", A),
    Case("an empty value and a blank", "a", "v2", "a: \nb: 1\n", "a: v2\nb: 1\n", A),
    Case("an empty value and a comment", "a", "v2", "a: # c\nb: 1\n", "a: v2 # c\nb: 1\n", A),
    Case("an empty value and a far comment", "a", "v2", "a:    # c\n", "a: v2    # c\n", A),
    Case("an empty value at the end", "a", "v2", "a:", "a: v2", A),
    Case("an empty value before carriage returns", "a", "v2", "a:\r\nb: 1\r\n", "a: v2\r\nb: 1\r\n", A),
    Case("an empty item", "a[0]", "v2", "a:\n-\n- x\n", "a:\n- v2\n- x\n", steps("a", 0)),
    Case("an empty value within braces", "a.b", "v2", "a: {b: , c: d}\n", "a: {b: v2, c: d}\n", steps("a", "b")),
    Case("an empty value within braces, no blank", "a.b", "v2", "a: {c: d, \"b\":}\n", "a: {c: d, \"b\": v2}\n", steps("a", "b")),
    Case("null", "a", "v2", "a: null # c\n", "a: v2 # c\n", A),
    Case("a tilde", "a", "v2", "a: ~\n", "a: v2\n", A),
    Case("empty quotes", "a", "v2", 'a: ""\n', 'a: "v2"\n', A),
    Case("an empty value behind an anchor", "a", "v2", "a: &x\nb: *x\n", "a: &x v2\nb: *x\n", ((0, "a"), (0, "b"))),
    # values of several lines
    Case("a plain value of several lines", "a", "v2", "a: one\n  two\n  three\nb: 1\n", "a: v2\nb: 1\n", A),
    Case("a quoted value of several lines", "a", "v2", 'a: "one\n\n  two"\nb: 1\n', 'a: "v2"\nb: 1\n', A),
    Case("a literal text", "a", "x\ny\n", "a: |\n  v1\nb: 1\n", "a: |\n  x\n  y\nb: 1\n", A),
    Case("a literal text without its newline", "a", "v2", "a: |-\n  v1\nb: 1\n", "a: |-\n  v2\nb: 1\n", A),
    Case("a literal text loses its newline", "a", "v2", "a: |\n  v1\nb: 1\n", "a: |-\n  v2\nb: 1\n", A),
    Case("a literal text gets a newline", "a", "v2\n", "a: |- # c\n  v1\nb: 1\n", "a: | # c\n  v2\nb: 1\n", A),
    Case("a literal text that keeps newlines", "a", "v2\n\n", "a: |+\n  v1\n\n\nb: 1\n", "a: |+\n  v2\n\nb: 1\n", A),
    Case("blank lines behind a literal text", "a", "v2\n", "a: |\n  v1\n\n\nb: 1\n", "a: |\n  v2\n\n\nb: 1\n", A),
    Case("a literal text with an indicator", "a", "  v2\nx\n", "a: |2\n    v1\n  w\nb: 1\n", "a: |2\n    v2\n  x\nb: 1\n", A),
    Case("a literal text with carriage returns", "a", "x\ny\n", "a: |\r\n  v1\r\nb: 1\r\n", "a: |\r\n  x\r\n  y\r\nb: 1\r\n", A),
    Case("a literal text at the end", "a", "v2", "a: |-\n  v1", "a: |-\n  v2", A),
    Case("a folded text of one line", "a", "v2\n", "a: >\n  v1\n  w1\nb: 1\n", "a: >\n  v2\nb: 1\n", A),
    Case("a comment behind a literal text", "a", "v2\n", "a: |\n  v1\n# c\nb: 1\n", "a: |\n  v2\n# c\nb: 1\n", A),
    # anchors, aliases, tags
    Case("an anchored value, its aliases follow", "a", "v2", "a: &x v1\nb: *x\n", "a: &x v2\nb: *x\n", ((0, "a"), (0, "b"))),
    Case("an anchored value in quotes", "a", "v2", "a: &x 'v1'\nb: *x\n", "a: &x 'v2'\nb: *x\n", ((0, "a"), (0, "b"))),
    Case("an alias, this use only", "b", "v2", "a: &x v1\nb: *x\nc: *x\n", "a: &x v1\nb: v2\nc: *x\n", steps("b")),
    Case("an alias takes its anchor's quotes", "b", "v2", "a: &x 'v1'\nb: *x # c\n", "a: &x 'v1'\nb: 'v2' # c\n", steps("b")),
    Case("an alias within brackets", "b[0]", "v2", "a: &x v1\nb: [*x, 1]\n", "a: &x v1\nb: [v2, 1]\n", steps("b", 0)),
    Case("an anchor that is defined anew", "c", "v2", "a: &x v1\nb: &x w\nc: *x\n", "a: &x v1\nb: &x w\nc: v2\n", steps("c")),
    Case("!!str", "a", "1.10", "a: !!str 1.9\n", 'a: !!str "1.10"\n', A),
    Case("!!str and an anchor", "a", "v2", "a: &x !!str v1\nb: *x\n", "a: &x !!str v2\nb: *x\n", ((0, "a"), (0, "b"))),
    Case("an anchor on the line before", "a", "v2", "a: &x # c\n  v1\n", "a: &x # c\n  v2\n", A),
    Case("!!str in full", "a", "v2", "a: !<tag:yaml.org,2002:str> v1\n", "a: !<tag:yaml.org,2002:str> v2\n", A),
    Case("its own key beside a merge key", "b.t", "v2", "a: &x {t: v1}\nb:\n  <<: *x\n  t: v1\n", "a: &x {t: v1}\nb:\n  <<: *x\n  t: v2\n"),
    Case("in an anchored mapping", "a.t", "v2", "a: &x\n  t: v1\nb: *x\n", "a: &x\n  t: v2\nb: *x\n", ((0, "a", "t"), (0, "b", "t"))),
    # several documents
    Case("the only document that has it", "b", "v2", "a: 1\n---\nb: v1\n", "a: 1\n---\nb: v2\n", ((1, "b"),)),
    Case("a document by its index", "1: a", "v2", "a: v1\n---\na: v1\n", "a: v1\n---\na: v2\n", ((1, "a"),)),
    Case("a document by kind and name", "ConfigMap/y: data.k", "v2",
         "kind: ConfigMap\nmetadata: {name: x}\ndata: {k: v1}\n---\nkind: ConfigMap\nmetadata: {name: y}\ndata: {k: v1}\n",
         "kind: ConfigMap\nmetadata: {name: x}\ndata: {k: v1}\n---\nkind: ConfigMap\nmetadata: {name: y}\ndata: {k: v2}\n",
         ((1, "data", "k"),)),
    Case("a document by namespace too", "A/n/x: k", "v2",
         "kind: A\nmetadata: {name: x, namespace: m}\nk: v1\n---\nkind: A\nmetadata: {name: x, namespace: n}\nk: v1\n",
         "kind: A\nmetadata: {name: x, namespace: m}\nk: v1\n---\nkind: A\nmetadata: {name: x, namespace: n}\nk: v2\n",
         ((1, "k"),)),
    Case("directives and document ends", "a", "v2", "%YAML 1.1\n---\na: v1\n...\n# c\n---\nb: 1\n...\n",
         "%YAML 1.1\n---\na: v2\n...\n# c\n---\nb: 1\n...\n", A),
    Case("empty documents", "a", "v2", "---\n---\na: v1\n---\n", "---\n---\na: v2\n---\n", ((1, "a"),)),
    Case("a document that begins on its mark's line", "a", "v2", "--- {a: v1}\n", "--- {a: v2}\n", A),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_only_the_value_is_edited(case, goyaml):
    before = case.before.encode()
    edited = edit(before, [Edit(address=parse(case.address), value=case.value)])
    assert edited.data == case.after.encode()
    (outcome,) = edited.outcomes
    assert outcome.changed
    assert outcome.new == case.value
    if case.reads:
        judge(goyaml, before, edited.data, dict.fromkeys(case.reads, case.value))
    again = edit(edited.data, [Edit(address=parse(case.address), value=case.value)])
    assert (again.data, again.changed) == (edited.data, False)


TYPED = [
    ("a number", "number", "3", "replicas: 2 # c\n", "replicas: 3 # c\n", 3),
    ("a decimal", "number", "0.25", "replicas: 0.5\n", "replicas: 0.25\n", 0.25),
    ("a negative number", "number", "-3", "replicas: 2\n", "replicas: -3\n", -3),
    ("a number for a text", "number", "3", "replicas: '2'\n", "replicas: 3\n", 3),
    ("a number for nothing", "number", "3", "replicas:\n", "replicas: 3\n", 3),
    ("a boolean", "boolean", "true", "replicas: false\n", "replicas: true\n", True),
    ("a boolean for yes", "boolean", "true", "replicas: yes\n", "replicas: true\n", True),
    ("text for a number", "string", "3", "replicas: 2\n", 'replicas: "3"\n', "3"),
    ("text for the same number", "string", "3", "replicas: 3\n", 'replicas: "3"\n', "3"),
    ("text for a boolean", "string", "true", "replicas: true\n", 'replicas: "true"\n', "true"),
]


@pytest.mark.parametrize(
    ("kind", "value", "before", "after", "reads"), [each[1:] for each in TYPED], ids=[each[0] for each in TYPED]
)
def test_a_value_becomes_what_is_asked_for(kind, value, before, after, reads, goyaml):
    edited = edit(before.encode(), [Edit(address=parse("replicas"), value=value, kind=kind)])
    assert edited.data.decode() == after
    judge(goyaml, before.encode(), edited.data, {(0, "replicas"): reads})


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *(("number", text) for text in ("", "x", "1e3", "0x10", "017", "1_000", "+1", ".5", "1.", "-0", "-0.0", "12:30", "9" * 20, "1" * 400, "٣")),
        *(("boolean", text) for text in ("", "yes", "True", "on", "1")),
        ("string", "\ud800"),
    ],
)  # fmt: skip
def test_a_value_that_readers_would_take_differently_is_refused(kind, value):
    with pytest.raises(EditRefused, match=r"a: the new value is n(ot|either)"):
        edit(b"a: 1\n", [Edit(address=parse("a"), value=value, kind=kind)])


REFUSED = [
    ("a missing key", "image.tga", "image:\n  tag: v1\n", "line 2: image.tga: image has no key tga; did you mean tag?"),
    ("a missing top key", "imag", "image: 1\n", "the document has no key imag; did you mean image?"),
    ("few keys are all named", "zzz", "alpha: 1\nbeta: 2\n", "there are alpha, beta"),
    ("a dotted key is near", "image.tag", "image.tag: v1\n", "did you mean image.tag?"),
    ("below a value", "a.b", "a: v1\n", "a is a single value; nothing can be below it"),
    ("a missing item", "l[name=apl]", "l:\n- name: api\n- name: web\n", "l has no item with name apl; did you mean api?"),
    ("two such items", "l[name=a].v", "l:\n- {name: a, v: 1}\n- {name: a, v: 2}\n", "ambiguous: 2 items have it (lines 2, 3)"),
    ("an index beyond", "l[2]", "l: [1, 2]\n", "l has 2 items, counted from 0"),
    ("a key of a list", "l.a", "l: [1]\n", "l is a list; choose an item"),
    ("an item of a mapping", "l[0]", "l: {a: 1}\n", "l is not a list"),
    ("a mapping", "a", "a: {b: 1}\n", "it is a mapping, not a single value"),
    ("a list", "a", "a: []\n", "it is a list, not a single value"),
    ("an alias of a mapping", "b", "a: &x {c: 1}\nb: *x\n", "it is an alias of a mapping"),
    ("through an alias", "b.t", "a: &x {t: v1}\nb: *x\n", "line 2: b.t: b is an alias of &x (line 1); an edit behind it would change other values"),
    ("through a merge key", "b.t", "a: &x\n  t: v1\nb:\n  <<: *x\n", "b has t only through a merge key << (it stands on line 2"),
    ("through a list of merges", "b.t", "a: &x {t: v1}\nc: &y {u: 1}\nb:\n  <<: [*y, *x]\n", "only through a merge key <<"),
    ("an anchored value that is a key elsewhere", "a", "a: &x v1\nb: {*x : 1}\n", "used as a key through an alias"),
    ("a tag", "a", "a: !vault v1\n", "it carries a tag"),
    ("!!int", "a", "a: !!int 5\n", "it carries a tag"),
    ("!!binary", "a", "a: !!binary aGk=\n", "it carries a tag"),
    ("the same key twice", "a", "a: v1\nb:\n  c: 1\n  c: 2\n", "line 4: the key c is there twice; it is also on line 3"),
    ("the same key twice, differently", "a", "a: v1\n'a': v2\n", "the key a is there twice"),
    ("the same key twice to Kubernetes", "a", "a: 1\n1: x\n'1': y\n", "the key 1 is there twice"),
    ("a complex key", "a", "a: v1\n? {b: c}\n: d\n", "line 2: a key is a mapping or a list"),
    ("not YAML", "a", "a: v1\nb: {\n", "line 2: "),
    ("an alias of nothing", "a", "a: v1\nb: *x\n", "line 2: "),
    ("an alias of what is around it", "a", "a: v1\nb: &x [*x]\n", "line 2: "),
    ("an empty file", "a", "", "the file is empty"),
    ("an empty document", "a", "---\n", "the document is empty"),
    ("two documents", "a", "a: v1\n---\na: v1\n", "2 documents of the file have it (lines 1, 3)"),
    ("no document of several", "b", "a: v1\n---\na: v1\n", "none of the file's 2 documents has it"),
    ("an unknown document", "ConfigMap/z: a", "kind: ConfigMap\nmetadata: {name: x}\na: 1\n", "no document is ConfigMap/z; did you mean ConfigMap/x?"),
    ("a document twice", "A/x: a", "kind: A\nmetadata: {name: x}\n---\nkind: A\nmetadata: {name: x}\n", "2 documents are A/x (lines 1, 4)"),
    ("a document beyond", "2: a", "a: 1\n---\nb: 1\n", "there is no document 2; the file has 2, counted from 0"),
    ("a key without a colon", "a.b", "a: {b}\n", "the key has no colon"),
    ("inside what is no text", "a | b", "a: {b: 1}\n", "it is not a text"),
    ("inside a folded text", "a | b", "a: >\n  b: 1\n", "the text is folded (>)"),
    ("inside a quoted text", "a | b", 'a: "b: 1\\n"\n', "the text is quoted"),
    ("inside a plain text", "a | b", "a: b\n", "on the key's own line"),
    ("inside, a missing key", "a | image.tga", "x: 1\na: |\n  image:\n    tag: v1\n", "line 4: a | image.tga: in the text: image has no key tga; did you mean tag?"),
    ("inside, not YAML", "a | b", "x: 1\na: |\n  b: 1\n  c: {\n", "in the text: "),
]  # fmt: skip


@pytest.mark.parametrize(
    ("address", "before", "reason"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED]
)
def test_what_cannot_be_edited_is_refused_with_its_reason(address, before, reason):
    with pytest.raises(EditRefused) as caught:
        edit(before.encode(), [Edit(address=parse(address), value="v2")])
    assert reason in caught.value.message
    assert caught.value.exit_code == 8


@pytest.mark.parametrize("style", [">", ">-", ">+"])
def test_a_folded_text_of_several_lines_is_refused(style):
    with pytest.raises(EditRefused, match="folded"):
        edit(f"a: {style}\n  v1\n".encode(), [Edit(address=parse("a"), value="x\ny\n")])


@pytest.mark.parametrize("value", ["\n", "", "  \nx", "\tx", "x\x07", "x\u2028y", "x\ry"])
def test_what_a_block_text_cannot_hold_is_refused(value):
    with pytest.raises(EditRefused, match="the new text"):
        edit(b"a: |\n  v1\n", [Edit(address=parse("a"), value=value)])


def test_every_problem_is_told_at_once_and_nothing_is_edited():
    edits = [("a", "2"), ("b.c", "2"), ("d", "2"), ("l[5]", "2"), ("z", "2")]
    with pytest.raises(EditRefused) as caught:
        edit(b"a: 1\nb: 1\nd: {}\nl: []\n", [Edit(address=parse(address), value=value) for address, value in edits])
    assert [problem.address for problem in caught.value.problems] == ["b.c", "d", "l[5]", "z"]


def test_what_cannot_be_created_is_told_together_with_what_cannot_be_edited():
    edits = [Edit(address=parse(each), value="2") for each in ("a.b", "m.new", "q.x.y")]
    with pytest.raises(EditRefused) as caught:
        edit(b"a: 1\nm: [1]\nq: &q {x: 1}\n", edits, create=True)
    assert [problem.address for problem in caught.value.problems] == ["a.b", "m.new", "q.x.y"]


def test_no_message_holds_a_value():
    secret = "hunter2-hunter2"
    before = f"password: {secret}\nl:\n- {{key: {secret}}}\nu: &x {secret}\n".encode()
    for address in ("passwort", "password.x", "l[key=hunter3-hunter2].a", "l[key=x].a", "u[0]"):
        with pytest.raises(EditRefused) as caught:
            edit(before, [Edit(address=parse(address), value="new-" + secret)])
        assert secret not in str(caught.value) + caught.value.told


def test_several_edits_are_made_together():
    before = b"a: 1.0\nimage:\n  tag: v1 # c\n  digest: \nl: [x, w]\n"
    edits = [("l[1]", "z"), ("image.tag", "v2"), ("image.digest", "sha256:ab"), ("a", "1.0")]
    edited = edit(before, [Edit(address=parse(address), value=value) for address, value in edits])
    assert edited.data == b'a: "1.0"\nimage:\n  tag: v2 # c\n  digest: sha256:ab\nl: [x, z]\n'
    assert [(one.old, one.was, one.line) for one in edited.outcomes] == [
        ("w", "string", 5), ("v1", "string", 3), ("", "null", 4), ("1.0", "number", 1),
    ]  # fmt: skip


def test_lines_are_those_of_the_new_file():
    before = b"a: |\n  one\n  two\nb: v1\nc: x\n"
    edits = [
        Edit(address=parse("a"), value="one\n"),
        Edit(address=parse("b"), value="v2"),
        Edit(address=parse("b"), value="v2"),
    ]
    edited = edit(before, edits)
    assert edited.data == b"a: |\n  one\nb: v2\nc: x\n"
    assert [one.line for one in edited.outcomes] == [1, 3, 3]


def test_one_value_gets_one_new_value():
    for first, second in (("a", "a"), ("l[0]", "l[name=x]")):
        below = "" if first == "a" else ".v"
        with pytest.raises(EditRefused, match=r"different values|something else"):
            edit(
                b"a: 1\nl:\n- {name: x, v: 1}\n",
                [Edit(address=parse(first + below), value="2"), Edit(address=parse(second + below), value="3")],
            )


def test_a_name_that_its_own_address_speaks_of_can_be_edited():
    edited = edit(b"kind: A\nmetadata:\n  name: x\n", [Edit(address=parse("A/x: metadata.name"), value="z")])
    assert edited.data == b"kind: A\nmetadata:\n  name: z\n"
    assert edited.outcomes[0].line == 3


@pytest.mark.parametrize(
    ("before", "notes"),
    [
        ("a: &x v1\nb: *x\nc: [*x]\n", ("the aliases of &x follow (lines 2, 3)",)),
        ("a: 12\n", ("the old value is a number to readers, the new one is text",)),
        ("b: &x v1\na: *x\n", ("it was an alias of &x (line 1); only this use has changed",)),
        ("a: v1\n", ()),
    ],
)
def test_what_else_follows_is_told(before, notes):
    assert edit(before.encode(), [Edit(address=parse("a"), value="v2")]).outcomes[0].notes == notes


def test_the_same_value_writes_nothing():
    for before in ("a: v1\n", "a: 'v1'\n", "a: |-\n  v1\n", "a: !!str v1\n", "a:   v1 # c", "b: &x v1\na: *x\n"):
        edited = edit(before.encode(), [Edit(address=parse("a"), value="v1")])
        assert (edited.data, edited.changed, edited.outcomes[0].changed) == (before.encode(), False, False)


# -- what a hostile file tries ------------------------------------------------------------------------------------


def bomb(levels: int) -> str:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, levels)]
    return "\n".join([*rows, "t: v1\n"])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bomb(9).encode(), f"aliases add more than {MAX_ALIASED:,} nodes"),
        (b"t: v1\na: " + b"[" * 100_000, "nested deeper than 200 levels"),
        (b"t: v1\na: " + b"{a: " * 100_000, "nested deeper than 200 levels"),
        (b"".join(b" " * level + b"a:\n" for level in range(1000)), "nested deeper than 200 levels"),
        (b"- " * 5000, "nested deeper than 200 levels"),
        (b"t: v1\n" + b"#" * MAX_BYTES, "larger than"),
        (b"t: v1\nb: \xff\n", "line 2: the file is not UTF-8"),
        ("t: v1\n".encode("utf-16"), "the file is not UTF-8"),
        (b"t: v1\nb: \x00\n", "a character that YAML does not allow"),
        (b"t: v1\n%YAML 9.9\n---\n", "line "),
    ],
    ids=[
        "alias bomb",
        "brackets",
        "braces",
        "indentation",
        "dashes",
        "size",
        "not UTF-8",
        "UTF-16",
        "NUL",
        "directive",
    ],
)
def test_hostile_files_are_refused_with_a_reason(data, reason):
    with pytest.raises(EditRefused) as caught:
        edit(data, [Edit(address=parse("t"), value="v2")])
    assert reason in caught.value.message


def test_many_aliases_within_the_limit_are_no_bomb():
    before = b"a: &x [1, 2, 3]\n" + b"".join(b"k%d: *x\n" % number for number in range(1000)) + b"t: v1\n"
    assert edit(before, [Edit(address=parse("t"), value="v2")]).data == before.replace(b"t: v1", b"t: v2")
