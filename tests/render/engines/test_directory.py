"""Plain directories: which files count, and which documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gitops_bot.errors import NotRenderable, RenderError
from gitops_bot.manifests.yaml import load_all
from gitops_bot.model.application import DirectoryOptions, FoundDirectory, Source

ONE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"


def names(manifests: bytes) -> list[str]:
    return [document["metadata"]["name"] for document in load_all(manifests)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (None, ["a", "c"]),
        (DirectoryOptions(recurse=True), ["a", "c", "deep", "deeper"]),
        (DirectoryOptions(recurse=True, include="sub/*"), ["deep", "deeper"]),
        (DirectoryOptions(recurse=True, include="*.yml"), ["c"]),
        (DirectoryOptions(recurse=True, include="{a.yaml,sub/deep.yaml}"), ["a", "deep"]),
        (DirectoryOptions(recurse=True, exclude="sub/*"), ["a", "c"]),
        (DirectoryOptions(recurse=True, include="*", exclude="{*.yml,sub/sub/*}"), ["a", "deep"]),
        (DirectoryOptions(recurse=True, include="[ab].yaml"), ["a"]),
        (DirectoryOptions(include="sub/deep.yaml"), []),
    ],
)
def test_which_files_count(
    options: DirectoryOptions | None, expected: list[str], workplace: Callable[..., Any]
) -> None:
    files = {
        "app/a.yaml": ONE % "a",
        "app/c.yml": ONE % "c",
        "app/notes.txt": ONE % "no",
        "app/sub/deep.yaml": ONE % "deep",
        "app/sub/sub/deeper.yaml": ONE % "deeper",
    }
    assert names(workplace(files).render(Source(path="app", directory=options))) == expected


def test_documents_of_every_notation(workplace: Callable[..., Any]) -> None:
    files: dict[str, str | bytes] = {
        "many.yaml": f"# first\n---\n{ONE % 'm1'}---\n---\n# nothing\n---\n{ONE % 'm2'}...\n",
        "marked.yaml": "--- {apiVersion: v1, kind: ConfigMap, metadata: {name: flow}}\n",
        "directive.yaml": f"%YAML 1.1\n---\n{ONE % 'directive'}",
        "object.json": '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "j1"}}',
        "list.json": '[{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "j2"}}]',
        "klist.yaml": (
            "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: l1}}\n"
        ),
        "clist.yaml": (
            "apiVersion: v1\nkind: ConfigMapList\nmetadata: {}\n"
            "items:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: l2}}\n"
        ),
        "empty-list.yaml": "apiVersion: v1\nkind: List\nitems: null\n",
        "utf16.yaml": (ONE % "utf16-\N{SNOWMAN}").encode("utf-16"),
        "bom.yaml": (ONE % "bom").encode("utf-8-sig"),
        "crlf.yaml": (ONE % "crlf").replace("\n", "\r\n"),
        "skipped.yaml": f"# +argocd:skip-file-rendering\n{ONE % 'skipped'}",
        "values.yaml": "replicas: 1\nkind: something\n",
        "template.yaml": "{{ broken\n",
        "empty.yaml": "",
    }
    place = workplace(files)
    found = names(place.render(Source(path=".")))
    assert sorted(found) == sorted(
        ["m1", "m2", "flow", "directive", "j1", "j2", "l1", "l2", "utf16-\N{SNOWMAN}", "bom", "crlf"]
    )
    assert place.render(Source(path=".")) == place.render(Source(path="."))


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("partial.yaml", f"{ONE % 'good'}---\nvalues: here\n", "without apiVersion, kind and metadata"),
        ("broken.yaml", f"{ONE % 'good'}---\na: [b\n", "cannot be read: line 5: "),
        ("looks.yaml", "apiVersion: v1\nkind: [\nmetadata: {}\n", "cannot be read"),
        ("tagged.yaml", f"{ONE % 'good'}---\na: !!python/object:os.system x\n", "cannot be read"),
        ("deep.yaml", f"{ONE % 'good'}---\na: {'[' * 1000}{']' * 1000}\n", "cannot be read"),
        ("broken.json", "{", "is not JSON"),
        ("values.json", '{"replicas": 1}', "no manifest"),
    ],
)
def test_half_broken_files_are_errors_that_name_them(
    name: str, content: str, problem: str, workplace: Callable[..., Any]
) -> None:
    with pytest.raises(RenderError, match=f"{name} .*{problem}"):
        workplace({name: content}).render(Source(path="."))


def test_an_alias_bomb_ends_at_once(workplace: Callable[..., Any]) -> None:
    bomb = "x: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"x{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
    with pytest.raises(RenderError, match="aliases"):
        workplace({"bomb.yaml": f"{ONE % 'good'}---\n{bomb}"}).render(Source(path="."))


def test_links_to_files_are_followed_inside_the_repository_only(workplace: Callable[..., Any]) -> None:
    place = workplace({"app/x.txt": "", "shared/a.yaml": ONE % "a"}, links={"app/a.yaml": "../shared/a.yaml"})
    assert names(place.render(Source(path="app"))) == ["a"]
    for number, (target, problem) in enumerate(
        [("../../x", "leads out"), ("/etc/passwd", "absolute"), ("l.yaml", "circle"), ("none", "link to nothing")]
    ):
        hostile = workplace({"app/x.txt": ""}, links={"app/l.yaml": target}, name=f"hostile{number}")
        with pytest.raises(RenderError, match=problem):
            hostile.prepare(Source(path="app"))


def test_jsonnet_is_not_renderable_unless_it_is_excluded(workplace: Callable[..., Any]) -> None:
    place = workplace({"a.jsonnet": "{}", "b.yaml": ONE % "b"})
    with pytest.raises(NotRenderable, match=r"a\.jsonnet is Jsonnet"):
        place.prepare(Source(path="."))
    assert names(place.render(Source(path=".", directory=DirectoryOptions(exclude="*.jsonnet")))) == ["b"]


def test_configurations_of_tools_are_left_out_where_no_application_names_the_directory(
    workplace: Callable[..., Any],
) -> None:
    skaffold = "apiVersion: skaffold/v4beta6\nkind: Config\n"
    named = skaffold + "metadata: {name: s}\n"
    hidden = '"api\\x56ersion": skaffold/v4beta6\nkind: Config\n'
    own = "apiVersion: skaffold.acme.io/v1\nkind: Own\nmetadata: {name: own}\n"
    twice = "apiVersion: skaffold/v1\n" + ONE % "twice"  # the last one counts
    files = {"a.yaml": "---\n".join([skaffold, ONE % "a", named, twice, own]),
             "k.json": '[{"apiVersion": "k3d.io/v1", "kind": "Simple"}]'}  # fmt: skip
    place = workplace(files)
    assert names(place.render(Source(path=".", directory=FoundDirectory()))) == ["a", "twice", "own"]
    with pytest.raises(RenderError, match="without apiVersion, kind and metadata"):
        workplace({"a.yaml": files["a.yaml"]}, name="argo").render(Source(path="."))
    escaped = workplace({"a.yaml": f"{hidden}---\n{skaffold}---\n{ONE % 'a'}"}, name="escaped")
    assert names(escaped.render(Source(path=".", directory=FoundDirectory()))) == ["a"]
