"""The shipped example and fixture repositories, read as their users' tools read them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]

Render = Callable[..., list[dict[str, Any]]]
"""Render(chart, application, *options) → the objects that Helm makes of an Application's fields."""


@pytest.fixture(scope="session")
def helm() -> str:
    """Path of the real Helm."""
    found = shutil.which("helm")
    if found is None:
        pytest.skip("helm is not on PATH; gitops-bot tools install brings one")
    return found


@pytest.fixture
def run_helm(helm: str, tmp_path: Path) -> Callable[..., str]:
    """Runs Helm with nothing of this machine's configuration; a failure shows what Helm said."""

    def run(*arguments: str) -> str:
        ended = subprocess.run(
            [helm, *arguments],
            env={"HOME": str(tmp_path), "PATH": os.path.dirname(helm)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr + ended.stdout
        return ended.stdout

    return run


@pytest.fixture
def render(run_helm: Callable[..., str]) -> Render:
    """Renders an Application with one Helm source as Argo CD would, each option written out by hand."""

    def run(repository: Path, application: dict[str, Any], *options: str) -> list[dict[str, Any]]:
        source, spec = application["spec"]["source"], application["spec"]
        chart = repository / source["path"]
        arguments = ["template", str(chart), "--name-template", application["metadata"]["name"], "--include-crds"]
        arguments += ["--namespace", spec["destination"]["namespace"]]
        for file in source["helm"]["valueFiles"]:
            arguments += ["--values", str(chart / file)]
        for parameter in source["helm"].get("parameters", ()):
            arguments += ["--set", f"{parameter['name']}={parameter['value']}"]
        return [found for found in yaml.safe_load_all(run_helm(*arguments, *options)) if found]

    return run


def load(path: Path) -> Any:
    """One YAML document of a file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def by_kind(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The objects by kind; fails when two are of one kind."""
    found = {item["kind"]: item for item in objects}
    assert len(found) == len(objects)
    return found
