"""Finding what is deployed, in the shapes that real repositories have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from gitops_bot.errors import FetchError
from gitops_bot.model.tree import Tree
from gitops_bot.render.cache import Cache
from gitops_bot.render.discover import Discovery, Place, discover
from gitops_bot.render.engines.run import Program
from gitops_bot.render.engines.toolbox import Toolbox
from gitops_bot.render.own import OwnUrls
from gitops_bot.render.prepared import Capabilities
from gitops_bot.render.workshop import Workshop
from tests.render.trees import tree_of

URL = "https://github.com/acme/web"
MANIFEST = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


class Nowhere:
    """A fetcher that has nothing."""

    def chart(self, repository: str, name: str, version: str) -> Tree:
        raise FetchError(f"{repository} {name} {version} is not here")

    def git(self, url: str, revision: str) -> Tree:
        raise FetchError(f"{url} {revision} is not here")

    def file(self, url: str) -> bytes:
        raise FetchError(f"{url} is not here")


@pytest.fixture
def workshop(tmp_path: Path, kustomize: str) -> Workshop:
    return Workshop(
        tools=Toolbox(lambda _: Program((kustomize, "build"), "test")),
        cache=Cache(None),
        fetcher=Nowhere(),
        own=OwnUrls([URL]),
        scratch=tmp_path,
    )


def find(workshop: Workshop, files: Mapping[str, str]) -> Discovery:
    place = Place(
        tree=tree_of(files),
        own=OwnUrls([URL]),
        capabilities=lambda _: Capabilities(),
        fetcher=Nowhere(),
        render_templates=lambda _: [],
    )
    return discover(place, workshop)


def application(name: str, path: str, url: str = URL) -> str:
    return (
        f"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}}}\n"
        f"spec:\n  source: {{repoURL: {url}, path: {path}}}\n  destination: {{namespace: {name}}}\n"
    )


def test_applications_claim_what_they_render_and_lie_in_a_directory_themselves(workshop: Workshop) -> None:
    found = find(workshop, {"apps/web.yaml": application("web", "deploy"), "deploy/a.yaml": MANIFEST})
    assert list(found.preparations) == ["apps/web.yaml#web", "directory:apps"]


def test_one_name_in_many_directories_is_many_targets(workshop: Workshop) -> None:
    files = {f"clusters/{c}/web.yaml": application("web", "deploy") for c in "ab"}
    found = find(workshop, {**files, "deploy/a.yaml": MANIFEST})
    assert {one.target.name for one in found.preparations.values() if one.target.application} == {"web"}
    assert sum(one.target.application is not None for one in found.preparations.values()) == 2


def test_one_name_twice_in_one_file_is_told_apart(workshop: Workshop) -> None:
    both = application("web", "deploy") + "---\n" + application("web", "deploy")
    found = find(workshop, {"web.yaml": both, "deploy/a.yaml": MANIFEST})
    assert [key for key in found.preparations if "#" in key] == ["web.yaml#web", "web.yaml#web~2"]


def test_a_path_that_is_gone_is_named_and_breaks_nothing_else(workshop: Workshop) -> None:
    found = find(workshop, {"a.yaml": application("gone", "nowhere"), "b.yaml": application("web", "deploy"),
                            "deploy/a.yaml": MANIFEST})  # fmt: skip
    gone, web = found.preparations["a.yaml#gone"], found.preparations["b.yaml#web"]
    assert gone.error is not None
    assert "nowhere" in gone.error.message
    assert web.error is None


def test_another_repository_is_fetched_and_told_how_to_be_taken_for_this_one(workshop: Workshop) -> None:
    files = {"a.yaml": application("web", "deploy", "https://github.com/acme/old-name"), "deploy/a.yaml": MANIFEST}
    error = find(workshop, files).preparations["a.yaml#web"].error
    assert error is not None
    assert "--repo-url https://github.com/acme/old-name" in error.hint


def test_children_of_a_directory_and_their_files_are_the_same_targets(workshop: Workshop) -> None:
    files = {"root.yaml": application("root", "apps"), "apps/web.yaml": application("web", "deploy"),
             "deploy/a.yaml": MANIFEST}  # fmt: skip
    found = find(workshop, files)
    assert list(found.preparations) == ["apps/web.yaml#web", "directory:", "root.yaml#root"]
    assert found.preparations["apps/web.yaml#web"].target.parent == "root.yaml#root"


def test_what_the_applications_of_a_plain_overlay_render_is_no_plain_target(workshop: Workshop) -> None:
    files = {
        "apps/kustomization.yaml": "resources: [web.yaml]\n",
        "apps/web.yaml": application("web", "overlays/web"),
        "overlays/web/kustomization.yaml": "resources: [a.yaml]\n",
        "overlays/web/a.yaml": MANIFEST,
    }
    assert list(find(workshop, files).preparations) == ["apps/web.yaml#web", "kustomize:apps"]


def test_an_app_of_apps_of_apps_is_followed(workshop: Workshop) -> None:
    files = {
        "root.yaml": application("root", "level-1"),
        "level-1/kustomization.yaml": "resources: [a.yaml]\n",
        "level-1/a.yaml": application("middle", "level-2"),
        "level-2/kustomization.yaml": "resources: [b.yaml]\nnamePrefix: team-\n",
        "level-2/b.yaml": application("leaf", "deploy"),
        "deploy/a.yaml": MANIFEST,
    }
    names = {one.target.name for one in find(workshop, files).preparations.values() if one.target.application}
    assert names >= {"root", "middle", "team-leaf"}


def test_an_application_that_renders_itself_ends(workshop: Workshop) -> None:
    files = {"apps/root.yaml": application("root", "apps"), "apps/other.yaml": application("other", "apps")}
    found = find(workshop, files)
    assert {one.target.name for one in found.preparations.values() if one.target.application} == {"root", "other"}


def test_a_kustomization_that_breeds_new_names_for_ever_is_stopped(workshop: Workshop) -> None:
    files = {
        "apps/kustomization.yaml": "resources: [a.yaml]\n",
        "apps/a.yaml": application("a", "apps").replace("path: apps}", "path: apps, kustomize: {namePrefix: x-}}"),
    }
    found = find(workshop, files)
    assert len(found.preparations) < 30


def test_a_broken_definition_is_a_problem_of_its_file(workshop: Workshop) -> None:
    found = find(workshop, {"a.yaml": application("web", "deploy").replace("spec:", "spec: {")})
    assert [problem.id.partition("#")[0] for problem in found.problems] == ["a.yaml"]
    assert all(problem.failed for problem in found.problems)


@pytest.mark.parametrize(
    "child",
    [
        application("web", "deploy").replace("kind: Application", "kind: &k Application"),
        application("web", "deploy").replace("kind: Application", 'kind: "Applic\\x61tion"'),
        application("web", "deploy").replace("kind: Application", "kind: >-\n  Application"),
        application("web", "deploy").replace("argoproj.io/v1alpha1", '"argoproj\\x2eio/v1alpha1"'),
    ],
)
def test_children_are_found_in_every_notation(workshop: Workshop, child: str) -> None:
    files = {
        "apps/kustomization.yaml": "resources: [web.yaml]\nnamePrefix: team-\n",
        "apps/web.yaml": child,
        "root.yaml": application("root", "apps"),
        "deploy/a.yaml": MANIFEST,
    }
    assert "root.yaml#root/team-web" in find(workshop, files).preparations
