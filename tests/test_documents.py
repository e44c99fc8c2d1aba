"""The documents: what they link to is there, and the commands that they show do what they say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
import yaml

from gitops_bot.model.settings import Cluster
from tests.servers import Server, gives

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

named = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings of a page."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    shown = (
        re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    )
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in shown}


@named
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if anchor and linked.suffix == ".md":
            assert anchor in anchors(linked), target


def test_what_an_action_s_user_needs_is_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\]\((docs/[^)#]+)", (ROOT / "README.md").read_text()))
    pages = ("action", "applications", "applicationset", "cli", "comment", "diff-json", "enterprise", "fetch", "forks",
             "github", "image", "rendering", "secrets", "settings", "signals")  # fmt: skip
    assert {f"docs/reference/{name}.md" for name in pages} <= linked
    assert {"docs/getting-started.md", "docs/architecture.md", "docs/benchmarks.md"} <= linked


# -- the capability snapshot ------------------------------------------------------------------------------------------

VERSION = {"major": "1", "minor": "36", "gitVersion": "v1.36.3+k3s1", "gitCommit": "0", "gitTreeState": "clean",
           "buildDate": "2026-01-01T00:00:00Z", "goVersion": "go1", "compiler": "gc", "platform": "linux/amd64"}  # fmt: skip
APIS = {"apps/v1": [("deployments", "Deployment", ["deploy"])], "example.org/v1": [("backups", "Backup", [])]}


def resources(version: str, kinds: list[tuple[str, str, list[str]]]) -> dict[str, object]:
    entries = [{"name": name, "singularName": name, "namespaced": True, "kind": kind, "verbs": ["list"], "shortNames": short}
               for name, kind, short in kinds]  # fmt: skip
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": entries}


@pytest.fixture
def cluster(server: Server, tmp_path: Path) -> dict[str, str]:
    """What an API server says about itself, and the environment of somebody who is logged in to it."""
    groups = [{"name": version.partition("/")[0], "versions": [each], "preferredVersion": each}
              for version in APIS for each in [{"groupVersion": version, "version": "v1"}]]  # fmt: skip
    answers = {
        "/version": VERSION,
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/api/v1": resources("v1", [("pods", "Pod", ["po"])]),
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups},
        **{f"/apis/{version}": resources(version, kinds) for version, kinds in APIS.items()},
    }
    for path, answer in answers.items():
        server.routes[path] = gives(json.dumps(answer).encode(), **{"Content-Type": "application/json"})
    config = tmp_path / "kubeconfig"
    config.write_text(yaml.safe_dump({
        "apiVersion": "v1", "kind": "Config", "current-context": "a", "users": [{"name": "a", "user": {}}],
        "clusters": [{"name": "a", "cluster": {"server": server.url}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
    }))  # fmt: skip
    return {**os.environ, "KUBECONFIG": str(config), "HOME": str(tmp_path)}


def test_the_command_for_a_capability_snapshot_writes_one(cluster: dict[str, str], tmp_path: Path) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not on PATH; make tools brings it on linux/amd64")
    page = (ROOT / "docs" / "reference" / "settings.md").read_text()
    (script,) = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    place = tmp_path / "repository"
    place.mkdir()
    ended = subprocess.run(["sh", "-euc", script], cwd=place, env=cluster, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    written = yaml.safe_load((place / ".gitops-bot" / "clusters" / "staging.yaml").read_text())
    assert msgspec.convert(written, Cluster) == Cluster(
        kube_version="1.36.3",
        api_versions=("apps/v1", "apps/v1/Deployment", "example.org/v1", "example.org/v1/Backup", "v1", "v1/Pod"),
    )
