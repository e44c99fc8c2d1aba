"""Finding Argo CD's definitions in real trees: all of them, nothing else, and every doubt named."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.doors.git import Repository
from gitops_bot.model.tree import Tree
from gitops_bot.render import definitions
from gitops_bot.render.definitions import Definitions, WrongShape, decode_application, find_definitions

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: web
  namespace: argocd
spec:
  project: default
  source:
    repoURL: https://github.com/acme/deploy.git
    targetRevision: HEAD
    path: apps/web
  destination:
    server: https://kubernetes.default.svc
    namespace: web
"""
APPSET = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: addons}
spec:
  generators: [{git: {repoURL: https://github.com/acme/deploy.git, directories: [{path: addons/*}]}}]
  template: {metadata: {name: '{{path.basename}}'}, spec: {project: default}}
"""
PROJECT = "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata:\n  name: team\n"
Find = Callable[[dict[str, str | bytes | None]], Definitions]


@pytest.fixture
def find(repository: Callable[..., Any]) -> Find:
    """The definitions of a repository with these files."""

    def run(files: dict[str, str | bytes | None]) -> Definitions:
        with Repository(str(repository(files).path)) as opened:
            return find_definitions(opened.tree("HEAD"))

    return run


def ids(found: Definitions) -> list[str]:
    return [each.id for each in (*found.applications, *found.application_sets, *found.projects)]


def test_every_kind_is_found_wherever_it_lies(find: Find) -> None:
    found = find({
        "argocd/web.yaml": APPLICATION,
        "deep/er/still/set.yml": APPSET,
        "projects.yaml": f"# ours\n---\n{PROJECT}---\nkind: Some\n---\n{PROJECT.replace('team', 'other')}",
        "README.md": APPLICATION,
        "other.yaml": "kind: Application\napiVersion: app.k8s.io/v1beta1\nmetadata: {name: no}\n",
        "rollout.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: no}\n",
    })  # fmt: skip
    assert ids(found) == [
        "argocd/web.yaml#web",
        "deep/er/still/set.yml#addons",
        "projects.yaml#team",
        "projects.yaml#other",
    ]
    assert [each.index for each in found.projects] == [0, 2]
    assert found.problems == ()
    web = found.applications[0]
    assert web.application is not None
    assert web.application.sources[0].path == "apps/web"
    assert web.application.spec.destination.namespace == "web"
    assert web.document["metadata"]["namespace"] == "argocd"
    assert found.application_sets[0].application_set is not None


def test_lists_are_opened(find: Find) -> None:
    one, two = (APPLICATION.replace("name: web", f"name: {name}") for name in ("one", "two"))
    items = "".join("- " + text.replace("\n", "\n  ").rstrip(" ") for text in (one, two))
    found = find({"all.yaml": f"apiVersion: v1\nkind: List\nitems:\n{items}"})
    assert [(each.name, each.index) for each in found.applications] == [("one", 0), ("two", 1)]


def test_json_is_read_with_its_tabs(find: Find) -> None:
    document = {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "js"},
        "spec": {"source": {"repoURL": "https://example.org/x.git", "path": "a"}},
    }  # fmt: skip
    found = find({"app.json": json.dumps(document, indent="\t"), "two.json": '{"kind": "Application", '})
    assert ids(found) == ["app.json#js"]


def test_crlf_quotes_comments_and_a_byte_order_mark(find: Find) -> None:
    quoted = APPLICATION.replace("kind: Application", "'kind' : \"Application\" # ours")
    found = find({
        "crlf.yaml": APPLICATION.replace("\n", "\r\n"),
        "bom.yaml": b"\xef\xbb\xbf" + APPLICATION.encode(),
        "quoted.yaml": quoted,
        "marked.yaml": "---\r\n" + APPLICATION + "...\n",
    })  # fmt: skip
    assert len(found.applications) == 4
    assert found.problems == ()


def test_a_charts_templates_are_not_definitions(find: Find) -> None:
    templated = "{{- range .Values.apps }}\n---\n" + APPLICATION.replace("web", "{{ .name }}") + "{{- end }}\n"
    found = find({
        "apps/Chart.yaml": "apiVersion: v2\nname: apps\nversion: 1.0.0\n",
        "apps/templates/all.yaml": templated,
        "apps/templates/nested/plain.yaml": APPLICATION,
        "templates/loose.yaml": APPLICATION,
    })  # fmt: skip
    assert ids(found) == ["templates/loose.yaml#web"]
    assert found.problems == ()


def test_a_template_of_another_tool_is_named_and_no_failure(find: Find) -> None:
    found = find({"skeleton/app.yaml": APPLICATION.replace("name: web", "name: {{ values.name }}")})
    assert found.applications == ()
    assert [(each.id, each.failed) for each in found.problems] == [("skeleton/app.yaml", False)]
    assert "template" in found.problems[0].reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("  name: web", "  name: web\n  name: twice"), "line 5: the key name is there twice"),
        (("    path: apps/web", "   path: apps/web"), "line "),
        (("    path: apps/web", "    path: [unclosed"), "line "),
    ],
)
def test_a_broken_application_is_named_with_its_line(find: Find, change: tuple[str, str], reason: str) -> None:
    found = find({"a.yaml": APPLICATION.replace(*change), "b.yaml": APPLICATION})
    assert ids(found) == ["b.yaml#web"]
    assert found.problems[0].id == "a.yaml"
    assert found.problems[0].failed
    assert reason in found.problems[0].reason


def test_lines_are_those_of_the_file_and_other_documents_survive(find: Find) -> None:
    broken = APPLICATION.replace("  name: web", "  name: web\n  name: twice")
    found = find({"all.yaml": f"{PROJECT}---\n{broken}---\n{APPLICATION}"})
    assert ids(found) == ["all.yaml#web", "all.yaml#team"]
    assert found.applications[0].index == 2
    assert "line 10:" in found.problems[0].reason


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        (
            "source",
            "{repoURL: x, path: a, helm: {parameters: nope}}",
            "spec.source.helm.parameters: expected array, got str",
        ),
        ("source", "{repoURL: x, targetRevision: 1.0}", "spec.source.targetRevision: expected str, got "),
        (
            "sources",
            "[{repoURL: x}, {repoURL: z, helm: {valueFiles: [1]}}]",
            "spec.sources[1].helm.valueFiles[0]: expected str",
        ),
        ("source", "nothing", "spec.source: expected object, got str"),
        ("ignoreDifferences", "[{group: apps}]", "spec.ignoreDifferences[0]: object missing required field kind"),
    ],
)
def test_a_wrong_type_is_named_with_its_path(find: Find, field: str, value: str, reason: str) -> None:
    source = "" if field == "source" else "\n  source: {repoURL: x, path: z}"
    head = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web}\n"
    found = find({"a.yaml": f"{head}spec:\n  {field}: {value}{source}\n"})
    assert found.problems[0].id == "a.yaml#web"
    assert reason in found.problems[0].reason


def test_unknown_fields_and_nulls_are_let_through(find: Find) -> None:
    text = APPLICATION + "  newThing: {a: 1}\n  ignoreDifferences:\n  syncPolicy: null\n"
    text = text.replace(
        "    path: apps/web\n", "    path: apps/web\n    helm: {parameters: null, valuesObject: {keep: null}}\n"
    )
    application = find({"a.yaml": text}).applications[0].application
    assert application is not None
    helm = application.sources[0].helm
    assert helm is not None
    assert helm.parameters == ()
    assert helm.values_object == {"keep": None}


def test_a_patch_of_an_application_is_no_failure(find: Find) -> None:
    patch = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web}\n"
    found = find(
        {"patch.yaml": patch, "other.yaml": patch + "spec: {project: x}\n", "del.yaml": "$patch: delete\n" + patch}
    )
    assert found.applications == ()
    assert [(each.failed, "without a source" in each.reason) for each in found.problems] == [(False, True)] * 3


def test_links_are_not_found_twice(repository: Callable[..., Any]) -> None:
    made = repository({"real/app.yaml": APPLICATION})
    (made.path / "link.yaml").symlink_to("real/app.yaml")
    (made.path / "dir").symlink_to("real")
    made.commit({})
    with Repository(str(made.path)) as opened:
        assert ids(find_definitions(opened.tree("HEAD"))) == ["real/app.yaml#web"]


def test_a_huge_file_is_named_and_never_read(find: Find) -> None:
    found = find({"big.yaml": APPLICATION + "#" * definitions.MAX_FILE, "a.yaml": APPLICATION})
    assert ids(found) == ["a.yaml#web"]
    assert [(each.id, each.failed) for each in found.problems] == [("big.yaml", False)]


def test_equal_blobs_are_read_once(repository: Callable[..., Any]) -> None:
    made = repository({"a.yaml": APPLICATION, "b.yaml": PROJECT, "copy/a.yaml": APPLICATION})
    made.commit({"c.yaml": APPLICATION.replace("web", "only-in-this-test")})
    read: list[str] = []
    with Repository(str(made.path)) as opened:

        def blobs(oids: Iterable[str]) -> Mapping[str, bytes]:
            read.extend(wanted := list(oids))
            return opened.blobs(wanted)

        def counted(revision: str) -> Tree:
            tree = opened.tree(revision)
            return Tree(tree.oid, tree.entries, blobs)

        first = find_definitions(counted("HEAD~1"))
        before = len(read)
        second = find_definitions(counted("HEAD"))
    assert len(read) - before == 1
    assert set(ids(first)) < set(ids(second))


def test_alias_bombs_and_depth_are_problems(find: Find) -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 9)
    )
    head = '{"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "x": '
    found = find({
        "bomb.yaml": APPLICATION + bomb,
        "deep.yaml": APPLICATION + "x: " + "[" * 1000 + "]" * 1000,
        "deep.json": head + "[" * 100_000 + "]" * 100_000 + "}",
    })  # fmt: skip
    assert [each.id for each in found.problems] == ["bomb.yaml", "deep.json", "deep.yaml"]
    assert all(each.failed for each in found.problems)


@given(
    document=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["metadata", "spec", "name", "source", "sources", "helm", "kustomize", "path", "valueFiles"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=15,
    )
)
def test_any_document_is_an_application_or_a_wrong_shape(document: Any) -> None:
    try:
        application = decode_application(document)
    except WrongShape:
        return
    assert application.metadata is not None
    assert decode_application(msgspec.to_builtins(application)) == application


def _as_items(*texts: str) -> str:
    return "".join("- " + text.replace("\n", "\n  ").rstrip(" ") for text in texts)


@pytest.mark.parametrize(
    "text",
    [
        APPLICATION.replace("kind: Application", "kind: &k Application"),
        APPLICATION.replace("kind: Application", "kind: !!str Application"),
        APPLICATION.replace("kind: Application", '"kind": "Applic\\x61tion"'),
        APPLICATION.replace("kind: Application", "kind: >-\n  Application"),
        APPLICATION.replace("kind: Application", "kind:\n  Application"),
        APPLICATION.replace("kind: Application", "? kind\n: Application"),
        APPLICATION.replace("kind: Application", '"k\\u0069nd": Application'),
        APPLICATION.replace("kind: Application", "kind: !!binary QXBwbGljYXRpb24="),
        APPLICATION.replace("argoproj.io/v1alpha1", '"argoproj\\x2eio/v1alpha1"'),
        APPLICATION.replace("argoproj.io/v1alpha1", '"argo\\\n  proj.io/v1alpha1"'),
        APPLICATION.replace("argoproj.io/v1alpha1", "!<tag:yaml.org,2002:binary> YXJnb3Byb2ouaW8vdjFhbHBoYTE="),
        "x: &x Application\n" + APPLICATION.replace("kind: Application", "kind: *x"),
        "x: &x {kind: Application}\n<<: *x\n" + APPLICATION.replace("kind: Application\n", ""),
        APPLICATION.replace("\n", "\r"),
        APPLICATION.encode("utf-16"),
        b"\xfe\xff" + APPLICATION.encode("utf-16-be"),
        "---\n\ufeff" + APPLICATION,
        "".join(f"  {line}\n" for line in APPLICATION.splitlines()),
        f"apiVersion: argoproj.io/v1alpha1\nkind: ApplicationList\nmetadata: {{}}\nitems:\n{_as_items(APPLICATION)}",
        f"apiVersion: example.org/v1\nkind: Whatever\nitems:\n{_as_items(APPLICATION)}",
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationList\nitems:\n"
        + _as_items(APPLICATION.partition("kind: Application\n")[2]),
    ],
)
def test_an_application_is_found_in_every_notation(find: Find, text: str | bytes) -> None:
    found = find({"a.yaml": text})
    assert (ids(found), found.problems) == (["a.yaml#web"], ())
    assert found.applications[0].application is not None
    assert found.applications[0].document["kind"] == "Application"


def test_json_with_escapes_or_in_utf16_is_read(find: Find) -> None:
    document = (
        '{"apiVersion": "argoproj.io\\/v1alpha1", "kind": "\\u0041pplication", "metadata": {"name": "js"}, "spec": '
    )
    document += '{"source": {"repoURL": "https://example.org/x.git", "path": "a"}}}'
    found = find({"a.json": document, "b.json": document.encode("utf-16")})
    assert ids(found) == ["a.json#js", "b.json#js"]


def test_what_only_mentions_applications_is_no_problem(find: Find) -> None:
    found = find({
        "crd.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
        "spec: {group: argoproj.io, names: {kind: Application}, names: {}}\n",
        "prose.yaml": "{{ argoproj.io/ }} Application \\x41 [\n",
        "twice.yaml": '{a: 1, a: 2, b: "argoproj.io/ Application \\x41"}\n',
        "flow.yaml": '{a: 1, a: "\\x41"}\n',
        "broken16.yaml": b"\xff\xfea",
        "escaped.json": '{"a": 1, "a": "\\u0041"}',
    })  # fmt: skip
    assert (ids(found), found.problems) == ([], ())


def test_a_broken_application_in_an_odd_notation_is_named(find: Find) -> None:
    found = find({
        "a.yaml": APPLICATION.replace("kind: Application", "kind: &k Application") + "x: [\n",
        "b.yaml": APPLICATION.replace("kind: Application", "? kind\n: Application") + "x: 1\nx: 2\n",
    })  # fmt: skip
    assert [(each.id, each.failed, "twice" in each.reason) for each in found.problems] == [
        ("a.yaml", True, False),
        ("b.yaml", True, True),
    ]


def test_a_file_of_very_many_documents_is_searched_soon(find: Find) -> None:
    began = time.monotonic()
    found = find({"a.yaml": "---\n" * 300_000 + "# argoproj.io/ Application\n---\n" + APPLICATION})
    assert (ids(found), time.monotonic() - began < 20) == (["a.yaml#web"], True)
