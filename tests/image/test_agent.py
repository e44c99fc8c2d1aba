"""The agent in the image, as the Deployment runs it: two containers that share a socket, one of them without a token."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.plugin import Installed
from tests.image.engine import Engine

PATIENCE = 60.0
LOCKED = ("--network", "host", "--user", "65532:65532", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL",
          "--security-opt", "no-new-privileges", "--env", "HOME=/tmp")  # fmt: skip
"""As deploy/deployment.yaml locks them up; on the host's network, where the tests' servers are."""


def git(*arguments: str, cwd: Path) -> None:
    subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True)


@pytest.fixture
def repository(git_server, tmp_path: Path, place: str) -> str:
    """A repository that defines one Application, of a chart of its own; its URL."""
    url, work = f"{git_server.url}/git/shop", tmp_path / "work"
    chart = work / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    (chart / "values.yaml").write_text("colour: red\n")
    (chart / "templates" / "settings.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: {{ .Values.colour }}}\n"
    )
    (work / "apps").mkdir()
    (work / "apps" / "shop.yaml").write_text(json.dumps({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": place},
        "spec": {"project": "default", "source": {"repoURL": url, "targetRevision": "main", "path": "chart"},
                 "destination": {"server": "https://kubernetes.default.svc", "namespace": place},
                 "syncPolicy": {"automated": {"prune": True, "selfHeal": True}}},
    }))  # fmt: skip
    git("init", "--quiet", cwd=work)
    git("add", "--all", cwd=work)
    git("commit", "--quiet", "--message", "first", cwd=work)
    git("clone", "--quiet", "--bare", str(work), str(tmp_path / "served" / "shop"), cwd=tmp_path)
    return url


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """The volume with the socket, writable for the renderer's user alone in a pod, and for everybody here."""
    made = tmp_path / "shared"
    made.mkdir()
    made.chmod(0o777)
    return made


@pytest.fixture
def renderer(engine: Engine, image: str, shared: Path) -> Iterator[str]:
    """A container that renders: no token, no kubeconfig, nothing to write to but the volume."""
    name = engine.ask(
        "run", "--detach", *LOCKED, "--volume", f"{shared}:/run/gitops-bot", image,
        "agent", "render", "--socket", "/run/gitops-bot/renderer.sock",
    )  # fmt: skip
    end = time.monotonic() + PATIENCE
    while not (shared / "renderer.sock").exists():
        assert time.monotonic() < end, engine.run("logs", name).stderr.decode()
        time.sleep(0.05)
    yield name
    engine.run("rm", "--force", name)


def test_an_agent_in_the_image_brings_a_cluster_to_what_git_says(
    engine: Engine,
    image: str,
    renderer: str,
    shared: Path,
    repository: str,
    installed: Installed,
    place: str,
    tmp_path: Path,
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_bytes(installed.kubeconfig.read_bytes())
    kubeconfig.chmod(0o444)
    ended = engine.run(
        "run", "--rm", *LOCKED, "--volume", f"{shared}:/run/gitops-bot:ro", "--volume", f"{kubeconfig}:/account:ro",
        "--env", "GITOPS_BOT_ENVIRONMENT=staging", "--env", f"GITOPS_BOT_REPO={repository}",
        "--env", "GITOPS_BOT_PATH=apps", "--env", "GITOPS_BOT_KUBECONFIG=/account", image,
        "agent", "run", "--once", "--renderer", "/run/gitops-bot/renderer.sock",
    )  # fmt: skip
    said = ended.stdout.decode() + ended.stderr.decode()
    found = installed.plane.request("GET", f"/apis/argoproj.io/v1alpha1/namespaces/gitops-bot/applications/{place}")
    assert found["status"]["sync"]["status"] == "Synced", said
    applied = installed.plane.request("GET", f"/api/v1/namespaces/{place}/configmaps/settings")
    assert applied["data"] == {"colour": "red"}
    assert ended.returncode == 0, said
    assert all(json.loads(line)["msg"] for line in ended.stdout.decode().splitlines())

    mounts = json.loads(engine.ask("inspect", renderer))[0]["Mounts"]
    assert [each["Destination"] for each in mounts if each["Type"] == "bind"] == ["/run/gitops-bot"]
    assert engine.run("logs", renderer).stderr == b""
    engine.ask("stop", renderer)
    assert json.loads(engine.ask("inspect", renderer))[0]["State"]["ExitCode"] == 0
