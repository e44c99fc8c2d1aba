"""The first stage for forks, run as its workflow says: the steps' own scripts, with the real image."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.image.engine import ROOT

STAGE = ROOT / "examples" / "workflows" / "diff-fork-stage-1.yml"
CHART = {
    "app/Chart.yaml": "apiVersion: v2\nname: app\nversion: 0.1.0\n",
    "app/values.yaml": "replicas: 1\n",
    "app/templates/one.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: one}\n"
    "spec:\n  replicas: {{ .Values.replicas }}\n",
}


@pytest.fixture
def stage(engine, image, repository, tmp_path):
    """Runs the scripts of stage one on a repository with a base and a head; returns the report's file."""

    def run(files):
        checkout = repository(CHART)
        base = checkout.git("rev-parse", "HEAD")
        head = checkout.commit(files, "the fork's")
        temp = tmp_path / "temp"
        temp.mkdir()
        environ = {**os.environ, "IMAGE": image, "BASE": base, "HEAD": head, "RUNNER_TEMP": str(temp),
                   "GITHUB_WORKSPACE": str(checkout.path), "GITHUB_REPOSITORY": "acme/shop",
                   "GITHUB_SERVER_URL": "https://github.com"}  # fmt: skip
        for step in yaml.safe_load(STAGE.read_text())["jobs"]["render"]["steps"]:
            if "run" in step:
                argv = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
                ended = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
                print(step["name"], ended.returncode, ended.stdout, ended.stderr)
        return Path(temp / "report" / "report.json")

    return run


def test_the_report_is_what_the_schema_says_and_readable(stage):
    path = stage({"app/values.yaml": "replicas: 2\n"})
    report = json.loads(path.read_text())
    jsonschema.validate(report, json.loads((ROOT / "docs" / "schemas" / "diff.schema.json").read_text()))
    (change,) = report["changes"]
    assert (change["kind"], change["name"]) == ("Deployment", "one")
    assert path.stat().st_uid == os.getuid()


def test_a_fork_reaches_nothing_that_its_base_did_not_name(stage):
    """A chart that asks for a host of the fork's choice is named as not rendered; the rest is still told."""
    chart = CHART["app/Chart.yaml"] + (
        "dependencies:\n  - {name: spy, version: 1.0.0, repository: http://127.0.0.1:9/spy}\n"
    )
    report = json.loads(stage({"app/Chart.yaml": chart}).read_text())
    assert report["changes"] == []
    assert [each["reason"] for each in report["not_rendered"]]
