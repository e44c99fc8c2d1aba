"""`init`: on the example, on other people's ways to lay out a repository, and on what must not be replaced."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from gitops_bot.cli.init import WORKFLOWS
from gitops_bot.cli.main import run
from gitops_bot.doors.git import Repository
from gitops_bot.model.settings import Environment, Settings
from gitops_bot.render.settings import FILE, read_settings
from tests.conftest import Checkout

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "examples" / "churn-mlops"
SHIPPED = ROOT / "gitops_bot" / "cli" / "workflows"
Make = Callable[..., Checkout]


def settings_of(checkout: Checkout) -> Settings:
    with Repository(str(checkout.path)) as opened:
        return read_settings(opened.working_tree())


def init(checkout: Checkout, *arguments: str) -> int:
    return run(["init", "--repo", str(checkout.path), *arguments])


@pytest.fixture
def churn(repository: Make) -> Checkout:
    """The example as its team would have it before gitops-bot: without settings, with its snapshots of clusters."""
    checkout = repository({"README.md": "x\n"})
    made_by_tools = shutil.ignore_patterns("__pycache__", ".*_cache", ".venv", "*.egg-info", FILE)
    shutil.copytree(EXAMPLE, checkout.path, ignore=made_by_tools, dirs_exist_ok=True)
    checkout.commit({}, "the example")
    return checkout


def test_the_example_gets_what_its_team_has_written(churn: Checkout, repository: Make) -> None:
    assert init(churn) == 0
    own = repository({FILE: (EXAMPLE / FILE).read_text()}, name="own")
    found, theirs = settings_of(churn), settings_of(own)
    assert found.environments == theirs.environments
    assert list(found.environments) == list(theirs.environments)
    assert found.images == theirs.images
    (model,), (their_model,) = found.models, theirs.models
    assert (model.name, model.write) == (their_model.name, their_model.write)
    assert found.render.repositories == theirs.render.repositories


def test_what_is_written_works_in_the_next_commands(churn: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(churn) == 0
    assert run(["doctor", "--repo", str(churn.path)]) in (0, 4)
    assert f"{FILE} is valid" in capsys.readouterr().out
    bump = ["bump", "--repo", str(churn.path), "--no-commit", "--environment", "staging"]
    assert run([*bump, "--image", "ghcr.io/acme/churn-api:sha-0123abc"]) == 0
    assert "tag: sha-0123abc\n" in (churn.path / "k8s/helm/churn-mlops/values-staging.yaml").read_text()


def test_doing_it_again_changes_nothing(churn: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(churn, "--with", "bump") == 0
    first = churn.git("status", "--porcelain", "--untracked-files=all")
    before = (churn.path / FILE).read_bytes()
    churn.commit({}, "settings")
    capsys.readouterr()
    assert init(churn, "--with", "bump") == 0
    assert capsys.readouterr().out == f"unchanged {FILE}\nunchanged .github/workflows/bump.yml\n"
    assert (churn.path / FILE).read_bytes() == before
    assert first.split() == ["??", ".github/workflows/bump.yml", "??", FILE]


def test_a_workflow_that_compares_already_is_not_doubled(churn: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(churn) == 0
    assert "diff.yml is left out: .github/workflows/ci.yml compares pull requests already" in capsys.readouterr().err
    assert not (churn.path / ".github/workflows/diff.yml").exists()


def test_overlays_of_kustomize(repository: Make) -> None:
    overlay = "resources: [../../base]\nimages:\n  - name: sidecar\n    newTag: v1\n  - name: ghcr.io/acme/shop\n    newTag: {tag}\n"
    base = "resources: [deployment.yaml]\nimages:\n  - name: ghcr.io/acme/shop\n    newTag: v0.0.0\n"
    checkout = repository({
        "shop/base/kustomization.yaml": base,
        "shop/overlays/dev/kustomization.yaml": overlay.format(tag="v1.3.0-rc.1"),
        "shop/overlays/prod-eu/kustomization.yaml": overlay.format(tag="v1.2.0"),
        "shop/overlays/istio/kustomization.yaml": "resources: [../../base]\n",
    })  # fmt: skip
    checkout.git("tag", "v1.2.0")
    assert init(checkout) == 0
    settings = settings_of(checkout)
    assert settings.environments == {
        "dev": Environment(branch="main"),
        "prod-eu": Environment(tag="v*.*.*", protected=True),
    }
    (rule,) = [rule for rule in settings.images if rule.repository == "ghcr.io/acme/shop"]
    assert rule.order == "semver"
    (write,) = rule.write
    assert (write.file, write.path) == (
        "shop/overlays/{environment}/kustomization.yaml", "images[name=ghcr.io/acme/shop].newTag"
    )  # fmt: skip
    bump = ["bump", "--repo", str(checkout.path), "--no-commit", "--environment", "prod-eu"]
    assert run([*bump, "--image", "ghcr.io/acme/shop:v1.3.0"]) == 0
    written = (checkout.path / "shop/overlays/prod-eu/kustomization.yaml").read_text()
    assert yaml.safe_load(written)["images"][1] == {"name": "ghcr.io/acme/shop", "newTag": "v1.3.0"}


def test_a_folder_of_examples_without_environments(repository: Make) -> None:
    """As argocd-example-apps is laid out: a chart, plain manifests, Applications made by a chart's templates."""
    checkout = repository({
        "guestbook/deployment.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  template:\n    spec:\n      containers:\n        - name: ui\n          image: gcr.io/google-samples/gb-frontend:v5\n",
        "helm-guestbook/Chart.yaml": "apiVersion: v2\nname: helm-guestbook\nversion: 0.1.0\n",
        "helm-guestbook/values.yaml": "image:\n  repository: gcr.io/google-samples/gb-frontend\n  tag: v5\n",
        "apps/Chart.yaml": "apiVersion: v2\nname: apps\nversion: 0.1.0\n",
        "apps/templates/applications.yaml": "{{ range .Values.apps }}\napiVersion: argoproj.io/v1alpha1\nkind: Application\n{{ end }}\n",
    })  # fmt: skip
    assert init(checkout) == 0
    settings = settings_of(checkout)
    assert settings.environments == Settings().environments
    (rule,) = settings.images
    assert [write.file for write in rule.write] == ["guestbook/deployment.yaml", "helm-guestbook/values.yaml"]
    assert "# Nothing here tells environments apart" in (checkout.path / FILE).read_text()


def test_branches_alone_tell_environments(repository: Make) -> None:
    checkout = repository({"README.md": "x\n"})
    checkout.git("branch", "develop")
    checkout.git("tag", "1.0.0")
    assert init(checkout) == 0
    assert settings_of(checkout).environments == {
        "development": Environment(branch="develop"),
        "staging": Environment(branch="main"),
        "production": Environment(tag="*.*.*", protected=True),
    }


def test_an_empty_repository_gets_settings_that_hold_nothing(repository: Make) -> None:
    checkout = repository({"README.md": "x\n"})
    assert init(checkout, "--no-workflows") == 0
    assert settings_of(checkout) == Settings()
    assert not (checkout.path / ".github").exists()


def test_files_that_are_there_are_kept(repository: Make, capsys: pytest.CaptureFixture[str]) -> None:
    checkout = repository({FILE: "version: 1\n", "README.md": "x\n"})
    assert init(checkout) == 2
    assert f"nothing is written: {FILE} is there already" in capsys.readouterr().err
    assert (checkout.path / FILE).read_text() == "version: 1\n"
    assert not (checkout.path / ".github").exists()
    assert init(checkout, "--no-settings") == 0
    assert (checkout.path / FILE).read_text() == "version: 1\n"
    assert (checkout.path / ".github/workflows/diff.yml").exists()
    assert init(checkout, "--force") == 0
    assert (checkout.path / FILE).read_text() != "version: 1\n"


def test_broken_settings_can_be_replaced(repository: Make) -> None:
    checkout = repository({FILE: "versoin: [\n"})
    assert init(checkout, "--force") == 0
    assert settings_of(checkout) == Settings()


def test_a_link_is_never_written_through(repository: Make, tmp_path: Path) -> None:
    checkout = repository({"README.md": "x\n"})
    outside = tmp_path / "outside"
    (outside / "workflows").mkdir(parents=True)
    (checkout.path / ".github").symlink_to(outside)
    (outside / "mine").write_text("mine\n")
    (checkout.path / FILE).symlink_to(outside / "mine")
    assert init(checkout, "--force") == 2
    assert (outside / "mine").read_text() == "mine\n"
    assert list((outside / "workflows").iterdir()) == []


def test_a_dry_run_prints_and_writes_nothing(churn: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(churn, "--dry-run", "--with", "forks") == 0
    shown = capsys.readouterr().out
    assert churn.git("status", "--porcelain") == ""
    assert f"==> {FILE} <==\n# Settings of gitops-bot" in shown
    for name in WORKFLOWS["forks"]:
        assert f"==> .github/workflows/{name} <==\n{(SHIPPED / name).read_text()}" in shown


def test_shipped_workflows_are_the_examples() -> None:
    names = {"diff.yml", *(name for names in WORKFLOWS.values() for name in names)}
    assert {path.name for path in SHIPPED.glob("*.yml")} == names
    for name in names:
        assert (SHIPPED / name).read_bytes() == (ROOT / "examples" / "workflows" / name).read_bytes(), name


def test_workflows_follow_the_default_branch(repository: Make) -> None:
    checkout = repository({"README.md": "x\n"})
    checkout.git("branch", "--move", "main", "trunk")
    assert init(checkout, *(word for key in WORKFLOWS for word in ("--with", key))) == 0
    written = sorted((checkout.path / ".github/workflows").iterdir())
    assert len(written) == 6
    push = yaml.safe_load((checkout.path / ".github/workflows/diff-push.yml").read_text())
    assert push[True]["push"]["branches"] == ["trunk"]
    zizmor = shutil.which("zizmor") or str(Path(sys.executable).with_name("zizmor"))
    if not os.path.exists(zizmor):
        pytest.skip("zizmor is not installed; it is in the group dev")
    configuration = str(ROOT / ".github" / "zizmor.yml")
    ended = subprocess.run(
        [zizmor, "--offline", "--quiet", "--config", configuration, *map(str, written)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_options_that_exclude_each_other(repository: Make) -> None:
    checkout = repository({"README.md": "x\n"})
    assert init(checkout, "--no-settings", "--no-workflows") == 2
    assert init(checkout, "--no-workflows", "--with", "push") == 2
    assert init(checkout, "--with", "unknown") == 2
