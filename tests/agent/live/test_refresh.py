"""What people get who ask for a refresh."""

from __future__ import annotations

from pathlib import Path

from tests.agent.live.harness import LiveAgent, phase_of, sync_of
from tests.servers import Server, directory, package, run_helm


def publish(helm: str, folder: Path, marker: str) -> None:
    package(helm, folder, "shop", "1.0.0", marker)
    run_helm(helm, "repo", "index", str(folder / "packed"), cwd=folder)


def test_a_hard_refresh_fetches_and_renders_what_a_normal_one_takes_for_known(
    agent: LiveAgent, place: str, server: Server, helm: str, tmp_path: Path
) -> None:
    publish(helm, tmp_path, "first")
    server.routes["/charts/"] = directory(tmp_path / "packed", "/charts")
    chart = {"repoURL": f"{server.url}/charts", "chart": "shop", "targetRevision": "1.0.0", "path": None}
    name = f"shop-{place}"
    agent.follow(agent.repository({"README.md": ""}), place, name, source=chart)
    agent.wait(name, lambda body: sync_of(body) == "Synced" and phase_of(body) == "Succeeded")
    assert agent.get("ConfigMap", place, name)["data"] == {"it": "first"}

    publish(helm, tmp_path, "second")
    asked = len(server.paths())
    agent.refresh(name)
    agent.wait(name, lambda body: "argocd.argoproj.io/refresh" not in body["metadata"].get("annotations", {}))
    agent.until(lambda: agent.is_idle)
    assert server.paths()[asked:] == []
    assert agent.get("ConfigMap", place, name)["data"] == {"it": "first"}

    agent.refresh(name, "hard")
    agent.until(lambda: agent.get("ConfigMap", place, name)["data"] == {"it": "second"}, "the chart as it is now")
