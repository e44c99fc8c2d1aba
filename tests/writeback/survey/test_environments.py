"""Which words name environments, and what an environment is found to follow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitops_bot.doors.git import Repository
from gitops_bot.manifests import yaml
from gitops_bot.model.settings import Environment
from gitops_bot.writeback.survey.proposed import Facts, Proposed
from gitops_bot.writeback.survey.stages import named_by_file, named_by_folder, order, stage
from gitops_bot.writeback.survey.survey import propose
from gitops_bot.writeback.survey.text import to_yaml


@pytest.mark.parametrize(("path", "name"), [
    ("chart/values-dev.yaml", "dev"), ("chart/values.prod.yml", "prod"), ("chart/prod-eu.values.yaml", "prod-eu"),
    ("chart/values-ha.yaml", None), ("chart/values.yaml", None), ("a/overlays/production/kustomization.yaml", "production"),
    ("a/overlays/istio/kustomization.yaml", None), ("envs/uat/app/values.yaml", "uat"), ("prod/a.yaml", None),
    ("values-product.yaml", None), ("charts/api/values-alpha.yaml", "alpha"), ("envs/load-gpu/version.yml", "load-gpu"),
    ("environments/blue/app.yaml", "blue"), ("envs/base/app.yaml", None), ("envs/_shared/app.yaml", None),
    ("envs/v1.2/a/b.yaml", "v1.2"), ("overlays/blue/kustomization.yaml", None), ("env/lib/conf.yaml", None),
])  # fmt: skip
def test_files_of_environments(path: str, name: str | None) -> None:
    assert named_by_file(path) == name


def test_the_nearest_folder_counts() -> None:
    assert named_by_folder("argocd/staging/api/app.yaml") == ("staging", "argocd/staging")
    assert named_by_folder("prod/argocd/dev/app.yaml") == ("dev", "prod/argocd/dev")
    assert named_by_folder("argocd/api/app.yaml") is None


def test_the_order_of_promotion() -> None:
    names = ["prod-us", "pre-prod", "dev", "blue", "load-gpu", "qa", "non-prod", "staging", "prod-eu"]
    assert sorted(names, key=order) == [
        "dev", "load-gpu", "non-prod", "qa", "pre-prod", "staging", "blue", "prod-eu", "prod-us"
    ]  # fmt: skip
    assert stage("payments") is None


def application(revision: str, url: str = "https://github.com/acme/shop", path: str = "chart") -> str:
    return (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: shop}\nspec:\n"
        f"  source: {{repoURL: {url!r}, path: {path!r}, targetRevision: {revision!r}}}\n"
    )


def proposed(repository: Any, files: dict[str, str], **facts: Any) -> Proposed:
    checkout = repository(files)
    with Repository(str(checkout.path)) as opened:
        return propose(opened.working_tree(), Facts(**{"own": ("git@github.com:acme/shop.git",), **facts}))


@pytest.mark.parametrize(("revision", "follows"), [
    ("release", Environment(branch="release")), ("refs/heads/release", Environment(branch="release")),
    ("HEAD", Environment(branch="trunk")), ("0" * 40, Environment(branch="trunk")),
    ("v1.*", Environment(tag="v1.*")), (">=1.2.0 <2", Environment(tag="v*.*.*")), ("v1.2.3", Environment(tag="v*.*.*")),
    ("refs/tags/v1.2.3", Environment(tag="v*.*.*")), ("1.0", Environment(branch="1.0")), ("a\x07b", Environment(branch="trunk")),
])  # fmt: skip
def test_what_a_revision_means(repository: Any, revision: str, follows: Environment) -> None:
    text = application(revision).replace("'a\\x07b'", '"a\\x07b"')
    (found,) = proposed(
        repository,
        {"argocd/qa/app.yaml": text, "chart/Chart.yaml": "name: a\n"},
        default_branch="trunk",
        branches=("trunk", "1.0"),
    ).environments
    assert (found.name, found.follows.branch, found.follows.tag) == ("qa", follows.branch, follows.tag)
    assert found.follows.applications == "argocd/qa"


def test_two_names_of_one_environment_are_one(repository: Any) -> None:
    found = proposed(repository, {
        "argocd/production/app.yaml": application("main"), "chart/values-prod.yaml": "a: 1\n",
    }).environments  # fmt: skip
    assert [(each.name, each.follows.applications) for each in found] == [("prod", "argocd/production")]


def test_another_repository_is_not_taken_for_this_one(repository: Any) -> None:
    files = {
        "argocd/dev/app.yaml": application("feature", url="https://github.com/else/where", path="chart"),
        "argocd/dev/b.yaml": application("feature", url="https://github.com/else/where", path="elsewhere"),
        "argocd/dev/c.yaml": application("main", url="https://user:secret@github.com/acme/mirror", path="chart"),
        "chart/Chart.yaml": "name: a\n",
    }
    found = proposed(repository, files)
    assert [each.url for each in found.repositories] == ["https://github.com/acme/mirror"]
    assert found.environments[0].follows.branch == "main"


def test_names_that_no_file_can_hold_are_passed_over(repository: Any, tmp_path: Path) -> None:
    checkout = repository({"README.md": "x\n"})
    place = bytes(checkout.path) + b"/argocd\xff/dev"
    Path(place.decode("utf-8", "surrogateescape")).mkdir(parents=True)
    Path((place + b"/app.yaml").decode("utf-8", "surrogateescape")).write_text(application("main"))
    Path((place + b"/values-dev.yaml").decode("utf-8", "surrogateescape")).write_text(
        "image: {repository: ghcr.io/acme/a, tag: v1}\nmodel: {version: v1, path: s3://a}\n"
    )
    with Repository(str(checkout.path)) as opened:
        found = propose(opened.working_tree(), Facts())
    assert yaml.load(to_yaml(found), strict=True)["environments"] == {"dev": {"branch": "main"}}
    assert found.images == ()
    assert found.environments[0].follows.applications is None


def test_all_folders_of_a_folder_of_environments_are_some(repository: Any) -> None:
    """One that is silently left out would be bumped by no rule, although everything beside it is."""
    names = ("blue", "load-gpu", "prod-eu")
    files = {f"envs/{name}/{file}.yml": "a: 1\n" for name in names for file in ("a", "b", "c", "d")}
    made = proposed(repository, {**files, "envs/base/a.yml": "a: 1\n"})
    assert [each.name for each in made.environments] == ["load-gpu", "blue", "prod-eu"]
    assert [each.follows.protected for each in made.environments] == [False, False, True]


def test_what_is_said_of_every_environment_is_said_once(repository: Any) -> None:
    files = {f"envs/{name}/{file}.yml": "a: 1\n" for name in ("dev", "prod") for file in ("a", "b", "c", "d")}
    text = to_yaml(proposed(repository, {**files, "chart/values-dev.yaml": "a: 1\n"})).decode()
    assert text.count("a guess: no Application and no branch says what it follows") == 1
    assert "  # its files: chart/values-dev.yaml, envs/dev/ (4 files)\n  dev: {branch: main}\n" in text
    assert "  # its files: envs/prod/ (4 files)\n  prod: {branch: main, protected: true}\n" in text
