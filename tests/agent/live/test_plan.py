"""The plan hash that a review promises, and the one that the agent finds after the merge."""

from __future__ import annotations

import json

import pytest

from gitops_bot.agent.application.record import PLAN
from gitops_bot.cli.main import run
from tests.agent.live.harness import LiveAgent, Repository, config, deployment, manifests
from tests.agent.live.test_definitions import application

CHART = {"shop/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n"}


def secret(password: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web"}, "stringData": {"password": password}}


def defined(agent: LiveAgent, place: str, template: str, values: str) -> tuple[str, Repository]:
    """An Application of a chart, and its definition beside it; the first commit is synced."""
    name = f"plan-{place}"
    repository = agent.repository({**CHART, "shop/values.yaml": values, "shop/templates/all.yaml": template}, name)
    body = application(name, repository.url, place, "shop")
    repository.push({"apps/shop.yaml": json.dumps(body)})
    agent.create({**body, "metadata": {"name": name, "namespace": agent.namespace}}, agent.namespace)
    agent.synced(name, repository.git("rev-parse", "HEAD"))
    return name, repository


def promised(repository: Repository, capfd: pytest.CaptureFixture[str]) -> str | None:
    """What a review of the newest commit says of the Application."""
    capfd.readouterr()
    code = run([
        "diff", "--repo", str(repository.path), "--repo-url", repository.url, "--base", "HEAD~1", "--head", "HEAD",
        "--format", "json",
    ])  # fmt: skip
    said = capfd.readouterr()
    assert code == 0, said.err
    (plan,) = [each["plan"] for each in json.loads(said.out)["targets"] if each["id"].startswith("apps/shop.yaml#")]
    return plan


def test_the_agent_finds_the_plan_that_a_review_has_promised(agent, place, capfd):
    template = manifests(config("settings", colour="{{ .Values.colour }}"), secret("{{ .Values.password }}"))
    template += "---\n" + manifests(deployment("web"))
    name, repository = defined(agent, place, template, "colour: red\npassword: one\n")
    before = agent.app(name)["metadata"]["annotations"][PLAN]

    agent.push_and_wait(name, repository, {"shop/values.yaml": "colour: blue\npassword: one\n"})
    plan = promised(repository, capfd)
    assert plan is not None
    assert plan.startswith("sha256:")
    assert agent.app(name)["metadata"]["annotations"][PLAN] == plan != before

    # What a Secret holds is no part of it: nothing leads from a hash to a value.
    agent.push_and_wait(name, repository, {"shop/values.yaml": "colour: blue\npassword: two\n"})
    assert agent.app(name)["metadata"]["annotations"][PLAN] == promised(repository, capfd) == plan


def test_what_is_another_at_every_render_has_no_plan(agent, place, capfd):
    template = manifests(config("settings", colour="{{ .Values.colour }}", salt='{{ now | date "2006" }}'))
    name, repository = defined(agent, place, template.replace('\\"2006\\"', "`2006`"), "colour: red\n")
    agent.push_and_wait(name, repository, {"shop/values.yaml": "colour: blue\n"})
    assert promised(repository, capfd) is None
    assert PLAN not in agent.app(name)["metadata"]["annotations"]
