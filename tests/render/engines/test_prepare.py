"""Who renders a source, what overrides it, and where it must lie."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from gitops_bot.doors.git import Repository
from gitops_bot.errors import NotRenderable, RenderError
from gitops_bot.model.application import DirectoryOptions, HelmOptions, HelmParameter, KustomizeOptions, Source
from gitops_bot.render.engines.prepare import Context, plan, prepare
from gitops_bot.render.engines.source import merge_patch
from tests.render.sources import Shelf
from tests.render.trees import tree_of

CHART = {"Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n", "templates/x.yaml": "a: 1\n"}
FILES = {
    **{f"chart/{path}": content for path, content in CHART.items()},
    **{f"both/{path}": content for path, content in CHART.items()},
    "both/kustomization.yaml": "resources: []\n",
    "upper/Kustomization": "resources: []\n",
    "plain/x.yaml": "",
    "file.yaml": "",
}


@pytest.mark.parametrize(
    ("source", "renderer"),
    [
        (Source(path="chart"), "helm"),
        (Source(path="./chart/"), "helm"),
        (Source(path="upper"), "kustomize"),
        (Source(path="both"), "kustomize"),
        (Source(path="both", helm=HelmOptions(skip_crds=True)), "helm"),
        (Source(path="both", helm=HelmOptions()), "kustomize"),
        (Source(path="both", directory=DirectoryOptions(recurse=True)), "directory"),
        (Source(path="plain"), "directory"),
        (Source(path="plain", directory=DirectoryOptions()), "directory"),
    ],
)
def test_explicit_options_decide_then_the_directory(source: Source, renderer: str) -> None:
    assert prepare(source, tree_of(FILES), Context(app_name="a", fetcher=Shelf())).renderer == renderer


@pytest.mark.parametrize(
    ("source", "error", "problem"),
    [
        (Source(path="gone"), NotRenderable, r"the path gone is not in this repository \(any more\)"),
        (Source(path="file.yaml"), RenderError, "is a file, not a directory"),
        (Source(path="/chart"), RenderError, "is absolute"),
        (Source(path="../x"), RenderError, "leads out of this repository"),
        (Source(path="chart/../../x"), RenderError, "leads out of this repository"),
        (Source(path="chart", plugin={"name": "mine"}), NotRenderable, "plugin mine"),
        (Source(path="chart", plugin={}), NotRenderable, "discovered"),
        (
            Source(path="chart", helm=HelmOptions(skip_crds=True), kustomize=KustomizeOptions(name_prefix="x")),
            RenderError,
            "helm and kustomize",
        ),
        (Source(path="plain", helm=HelmOptions(skip_crds=True)), RenderError, "no Chart.yaml in the chart plain"),
        (Source(path="plain", kustomize=KustomizeOptions(name_prefix="x")), RenderError, "no kustomization file"),
    ],
)
def test_what_cannot_be_rendered_has_a_reason(source: Source, error: type[RenderError], problem: str) -> None:
    with pytest.raises(error, match=problem):
        prepare(source, tree_of(FILES), Context(app_name="a", fetcher=Shelf()))


def test_a_submodule_is_named(repository: Callable[..., Any]) -> None:
    inner, outer = repository({"x.yaml": ""}, name="inner"), repository({"y": ""}, name="outer")
    entry = f"160000,{inner.git('rev-parse', 'HEAD')},app/sub"
    subprocess.run(["git", "update-index", "--add", "--cacheinfo", entry], cwd=outer.path, check=True)
    outer.git("commit", "--quiet", "--message", "submodule")
    with Repository(str(outer.path)) as opened, pytest.raises(NotRenderable, match="app/sub is a Git submodule"):
        prepare(Source(path="app/sub"), opened.tree("HEAD"), Context(fetcher=Shelf()))


def test_override_files_are_merged_in_order_and_cannot_move_the_source() -> None:
    tree = tree_of(
        {
            **FILES,
            "chart/.argocd-source.yaml": (
                "path: both\nrepoURL: x\nhelm:\n  releaseName: general\n  parameters: [{name: a, value: '1'}]\n"
            ),
            "chart/.argocd-source-web.yaml": "helm:\n  releaseName: special\n  skipCrds: null\n",
        }
    )
    source = Source(path="chart", helm=HelmOptions(skip_crds=True))
    context = Context(app_name="web", fetcher=Shelf())
    assert prepare(source, tree, context).arguments == (
        "template", ".", "--name-template", "special", "--set", "a=1", "--include-crds",
    )  # fmt: skip
    other = Context(app_name="other", fetcher=Shelf())
    assert prepare(source, tree, other).arguments == (
        "template", ".", "--name-template", "general", "--set", "a=1",
    )  # fmt: skip


@pytest.mark.parametrize("content", ["helm: [", "helm: {releaseName: [1]}", "[]", "a: 1\na: 2\n"])
def test_a_broken_override_file_is_named(content: str) -> None:
    tree = tree_of({**FILES, "chart/.argocd-source.yaml": content})
    with pytest.raises(RenderError, match=r"chart/\.argocd-source\.yaml"):
        prepare(Source(path="chart"), tree, Context(fetcher=Shelf()))


def test_merge_patches_follow_rfc_7396() -> None:
    document = {"a": "b", "c": {"d": "e", "f": "g"}}
    assert merge_patch(document, {"a": "z", "c": {"f": None}}) == {"a": "z", "c": {"d": "e"}}
    assert merge_patch({"a": [1]}, {"a": {"b": None, "c": 1}}) == {"a": {"c": 1}}
    assert merge_patch("x", None) is None


def test_the_key_is_the_same_for_the_same_inputs_and_moves_with_any_of_them() -> None:
    def key(files: dict[str, str], **options: Any) -> str:
        context = Context(app_name="a", namespace="n", fetcher=Shelf())
        return plan(Source(path="chart", helm=HelmOptions(**options)), tree_of(files), context).key({"helm": "3"})

    base = key(FILES)
    assert key({**FILES, "plain/other.yaml": "x"}) == base
    assert key({**FILES, "chart/templates/x.yaml": "a: 2\n"}) != base
    assert key({**FILES, "chart/new.txt": ""}) != base
    assert key(FILES, skip_crds=True) != base
    assert key(FILES, values="a: 1") != base


def test_an_environment_reaches_the_options() -> None:
    context = Context(app_name="web", namespace="shop", project="team", revision="0123456789", fetcher=Shelf())
    values = "$ARGOCD_APP_NAME-$ARGOCD_APP_NAMESPACE-$ARGOCD_APP_PROJECT_NAME-$ARGOCD_APP_REVISION_SHORT_8"
    source = Source(
        path="chart", repo_url="https://git.example.org/x", target_revision="main",
        helm=HelmOptions(parameters=(HelmParameter(name="a", value=values),)),
    )  # fmt: skip
    assert "a=web-shop-team-01234567" in prepare(source, tree_of(FILES), context).arguments
