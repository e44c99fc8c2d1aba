"""``gitops-bot fetch`` on a repository whose sources lie on real servers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_bot.cli.main import run
from tests.conftest import Checkout
from tests.servers import Server

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {name}}}
spec:
  destination: {{namespace: {name}}}
  source: {{repoURL: "{url}", {source}}}
"""


@pytest.fixture
def deployed(
    chart_repository: Server, oci_registry: str, repository: Callable[..., Checkout], tmp_path: Path
) -> Checkout:
    """Three Applications: a chart of a repository, one of a registry, and one that is nowhere."""
    charts = f"{chart_repository.url}/charts"
    return repository({
        "apps/web.yaml": APPLICATION.format(name="web", url=charts, source="chart: app, targetRevision: ^1.0"),
        "apps/jobs.yaml": APPLICATION.format(name="jobs", url=f"{oci_registry}/team",
                                             source="chart: app, targetRevision: 1.1.0"),
        ".gitops-bot.yaml": f"version: 1\nfetch:\n  allow: ['{charts}', 'oci+http://{oci_registry}']\n",
    })  # fmt: skip


def test_what_is_needed_is_brought_and_listed(
    deployed: Checkout, chart_repository: Server, oci_registry: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--repo", str(deployed.path), "--cache", str(tmp_path / "cache")]
    assert run(["fetch", *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["KIND", "SOURCE", "WANTED", "IS", "DIGEST"]
    assert lines[1].split()[:4] == ["chart", f"{oci_registry}/team/app", "1.1.0", "1.1.0"]
    assert lines[2].split()[:4] == ["chart", f"{chart_repository.url}/charts/app", "^1.0", "1.10.2"]
    assert all(line.split()[4].startswith("sha256:") for line in lines[1:3])
    assert lines[3:] == ["", "2 fetched, 0 in the cache already."]
    asked = len(chart_repository.seen)
    assert run(["apps", *arguments, "--offline"]) == 0
    told = capsys.readouterr().out
    assert "Application  jobs" in told and "Application  web" in told
    assert "Cannot be rendered" not in told
    assert len(chart_repository.seen) == asked


def test_what_cannot_be_had_is_told_and_fails(
    deployed: Checkout, chart_repository: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = "https://evil.example/charts"
    deployed.commit({"apps/evil.yaml": APPLICATION.format(name="evil", url=elsewhere,
                                                          source="chart: app, targetRevision: 1.0.0")})  # fmt: skip
    assert run(["fetch", "--repo", str(deployed.path), "--cache", str(tmp_path / "cache")]) == 3
    told = capsys.readouterr().out
    assert "Could not be fetched:\n  https://evil.example/charts is not allowed by the base revision (add it" in told
    assert told.endswith("2 fetched, 0 in the cache already, 1 failed.\n")


def test_the_bases_settings_decide(
    deployed: Checkout, chart_repository: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A change that allows itself a new place is not believed when the base is named."""
    deployed.git("switch", "--quiet", "-c", "change")
    chart_repository.routes["/more/"] = chart_repository.routes["/charts/"]
    more = f"{chart_repository.url}/more"
    deployed.commit({
        ".gitops-bot.yaml": f"version: 1\nfetch:\n  allow: ['{chart_repository.url}']\n",
        "apps/more.yaml": APPLICATION.format(name="more", url=more, source="chart: app, targetRevision: 1.0.0"),
    })  # fmt: skip
    assert run(["fetch", "--repo", str(deployed.path), "--base", "main", "--cache", str(tmp_path / "cache")]) == 3
    assert f"{more} is not allowed" in capsys.readouterr().out
    assert not any(path.startswith("/more") for path in chart_repository.paths())


def test_nothing_needed_is_said(
    repository: Callable[..., Checkout], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = repository({"README.md": "nothing"})
    assert run(["fetch", "--repo", str(here.path), "--cache", str(tmp_path / "cache")]) == 0
    assert capsys.readouterr().out == "0 fetched, 0 in the cache already.\n"
