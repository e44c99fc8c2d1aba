"""The house itself: its guards hold, its layers hold, nothing in it names a package registry."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import NoTestMayReachTheNetworkOutsideThisMachine

ROOT = Path(__file__).parent.parent
_REGISTRY = re.compile(
    r"(?:https?://|\b)(?:[\w-]+\.)*(?:pypi\.org|pythonhosted\.org|npmjs\.org|crates\.io|proxy\.golang\.org)"
)


def tracked() -> list[Path]:
    """Every file of the repository; where there is no Git, every file that is not made by a tool."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = listed.stdout.split("\0")[:-1]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def test_tests_cannot_reach_the_network():
    with socket.socket() as here, pytest.raises(NoTestMayReachTheNetworkOutsideThisMachine):
        here.connect(("192.0.2.1", 80))


def test_tests_see_neither_home_nor_tokens():
    assert "stands-in-for-yours" in os.environ["HOME"]
    assert not [name for name in os.environ if "TOKEN" in name or name == "KUBECONFIG"]


def test_repositories_made_twice_are_the_same(repository):
    files = {"a/b.yaml": "x: 1\n", "c": b"\x00"}
    assert repository(files).git("rev-parse", "HEAD") == repository(files, "again").git("rev-parse", "HEAD")


def test_layers_hold():
    ended = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_layers_would_notice(tmp_path):
    package = tmp_path / "gitops_bot"
    for module in (ROOT / "gitops_bot").rglob("*.py"):  # the same house, empty
        place = tmp_path / module.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    (package / "doors" / "process.py").write_text("import subprocess\n")
    (package / "model" / "up.py").write_text("import gitops_bot.render\nimport requests\n")
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    ended = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "gitops_bot.model is not allowed to import gitops_bot.render" in ended.stdout
    assert "gitops_bot.model.up -> requests" in ended.stdout


def test_no_file_names_a_registry_host():
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in tracked()
        if path.name != Path(__file__).name
        for match in _REGISTRY.finditer(path.read_text("utf-8", "replace"))
    ]
    assert found == []


def test_every_workflow_pins_actions_and_starts_without_permissions():
    for workflow in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = workflow.read_text()
        assert re.search(r"^permissions: \{\}$", text, re.MULTILINE), workflow
        for used in re.findall(r"uses: (\S+)", text):
            assert used.startswith("./") or re.search(r"@[0-9a-f]{40}$", used), f"{workflow}: {used}"


@pytest.mark.parametrize("name", ["runtime.txt", "dev.txt"])
def test_locked_requirements_have_hashes_and_no_index(name):
    text = (ROOT / "requirements" / name).read_text()
    pins = [line for line in text.splitlines() if re.match(r"\S+==", line)]
    assert len(pins) > 10
    assert all(line.endswith("\\") for line in pins)
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
