"""The image: what is in it, who can run it, how fast it starts."""

from __future__ import annotations

import json
import re
import statistics
import sys
import time

import gitops_bot


def config(engine, image):
    return json.loads(engine.ask("image", "inspect", image))[0]["Config"]


def test_the_entry_point_is_the_program_and_no_shell(engine, image):
    about = config(engine, image)
    assert about["Entrypoint"] == ["gitops-bot"]
    assert about["Cmd"] == ["--help"]


def test_github_may_choose_user_and_directory(engine, image):
    about = config(engine, image)
    assert about.get("User", "") == ""
    assert about.get("WorkingDir", "") in ("", "/")
    assert not about.get("Volumes")
    assert not about.get("ExposedPorts")


def test_the_label_says_the_version_of_the_package(engine, image):
    labels = config(engine, image)["Labels"]
    assert labels["org.opencontainers.image.version"] == gitops_bot.__version__
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    inside = engine.ask("run", "--rm", "--network", "none", image, "version")
    assert gitops_bot.__version__ in inside


def test_nothing_of_the_builder_is_in_it(engine, image):
    about = config(engine, image)
    assert not [value for value in about["Env"] if value.startswith("PIP_")]
    history = engine.ask("history", "--no-trunc", "--format", "{{.CreatedBy}}", image)
    assert "PIP_" not in history
    left = engine.run(
        "run", "--rm", "--network", "none", "--entrypoint", "find", image,
        "/opt", "/src", "/var/lib/apt/lists", "/root/.cache",
        "(", "-name", "pip", "-o", "-name", "*.whl", "-o", "-name", "hatchling", "-o", "-name", "*_Packages", ")",
    ).stdout.decode()  # fmt: skip
    assert left == ""


def test_anybody_may_run_it_without_a_place_to_write(engine, image):
    said = engine.ask("run", "--rm", "--network", "none", "--user", "12345", "--read-only", image, "--help")
    assert "diff" in said


def test_the_renderers_are_found_whoever_asks(engine, image):
    for user, home in (("0", "/github/home"), ("12345", "/nowhere")):
        ended = engine.run(
            "run", "--rm", "--network", "none", "--user", user, "-e", f"HOME={home}", "--read-only", "--tmpfs", "/tmp",
            image, "doctor",
        )  # fmt: skip
        said = ended.stdout.decode()
        for tool in ("git", "helm", "kustomize"):
            assert re.search(rf"^ok +{tool} ", said, re.MULTILINE), said


def test_every_module_of_ours_is_compiled(engine, image):
    """A container starts from nothing each time: what is not compiled in the image is compiled at each start."""
    listed = engine.ask(
        "run", "--rm", "--network", "none", "--entrypoint", "find", image, "/opt/gitops-bot/lib", "-name", "*.py*"
    ).split("\n")
    sources = {path for path in listed if path.endswith(".py") and "/gitops_bot/" in path}
    compiled = {re.sub(r"__pycache__/([^/]+)\.cpython-\d+\.pyc$", r"\1.py", path) for path in listed}
    assert len(sources) > 50
    assert sources - compiled == set()


def test_a_container_says_help_within_three_seconds(engine, image, capsys):
    taken = []
    for _ in range(3):
        started = time.monotonic()
        engine.ask("run", "--rm", "--network", "host", image, "--help")
        taken.append(time.monotonic() - started)
    middle = statistics.median(taken)
    with capsys.disabled():  # on standard error, which workers of pytest-xdist pass on
        print(
            f"\nthe image is {size(engine, image)} MB; a container answers --help in {middle * 1000:.0f} ms",
            file=sys.stderr,
        )
    assert middle <= 3.0


def size(engine, image):
    return json.loads(engine.ask("image", "inspect", image))[0]["Size"] // 1_000_000
