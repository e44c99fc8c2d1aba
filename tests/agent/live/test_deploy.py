"""What ``deploy`` installs, into an empty cluster as its user does it; and the rights that the agent really uses."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_bot.doors import tools
from gitops_bot.doors.cluster.connect import connect
from gitops_bot.doors.cluster.errors import Forbidden
from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.doors.cluster.requests import Requests
from gitops_bot.model.resource import ResourceKey
from tests.agent.live.harness import Cluster, LiveAgent, config, manifests, sync_of
from tests.agent.live.program import Programs, definition, programs
from tests.controlplane.install import apply, shipped
from tests.controlplane.plane import ControlPlane, control_plane
from tests.controlplane.plugin import PROGRAMS
from tests.controlplane.programs import MISSING

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "reference" / "agent.md"


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[ControlPlane]:
    """A cluster where nothing of ours was ever installed."""
    if PROGRAMS is None:
        pytest.skip(MISSING)
    (tmp_path / "plane").mkdir()
    with control_plane(PROGRAMS, tmp_path / "plane") as plane:
        yield plane


@pytest.fixture
def kubectl(tmp_path: Path) -> str:
    """The kubectl that renders for us; for once it may do more."""
    found = tools.installed_directory() / "kubectl"
    return (
        str(found) if found.exists() else pytest.skip("kubectl is not installed; make tools brings it on linux/amd64")
    )


def asked(kubectl: str, plane: ControlPlane, *arguments: str) -> str:
    ended = subprocess.run(
        [kubectl, "--kubeconfig", str(plane.kubeconfig), *arguments], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_one_command_installs_everything_and_its_pods_run(empty, kubectl):
    apply = ("apply", "--server-side", "--validate=strict", "-k", str(ROOT / "deploy"))
    first = asked(kubectl, empty, *apply)
    assert asked(kubectl, empty, *apply) == first
    assert len(first.splitlines()) == len(shipped()) + 1  # and the ConfigMap that is made of agent.env
    asked(kubectl, empty, "rollout", "status", "deployment/gitops-bot", "-n", "gitops-bot", "--timeout=60s")
    (pod,) = json.loads(asked(kubectl, empty, "get", "pods", "-n", "gitops-bot", "-o", "json"))["items"]
    agent, renderer = pod["spec"]["containers"]
    mounts = [[mount["mountPath"] for mount in each["volumeMounts"]] for each in (agent, renderer)]
    assert [any("serviceaccount" in path for path in paths) for paths in mounts] == [True, False]
    assert all(each["securityContext"]["readOnlyRootFilesystem"] for each in (agent, renderer))


def test_what_renders_can_change_nothing_that_the_agent_reads():
    """A chart that breaks out of Helm must not find the agent's clones, whose configuration git obeys."""
    (deployment,) = (body for body in shipped() if body["kind"] == "Deployment")
    agent, renderer = (
        {mount["name"]: mount for mount in each["volumeMounts"]}
        for each in deployment["spec"]["template"]["spec"]["containers"]
    )
    assert set(agent) & set(renderer) == {"socket"}
    assert agent["socket"]["readOnly"]


def test_every_variable_that_the_deployment_sets_is_an_option(kubectl):
    from gitops_bot.cli.agent.run import command

    known = {f"GITOPS_BOT_{option.name.upper()}" for option in command.params}
    (deployment,) = (body for body in shipped() if body["kind"] == "Deployment")
    agent = deployment["spec"]["template"]["spec"]["containers"][0]
    file = (ROOT / "deploy" / "agent.env").read_text()
    set_ = {line.partition("=")[0] for line in file.splitlines() if line and not line.startswith("#")}
    set_ |= {each["name"] for each in agent["env"] if each["name"].startswith("GITOPS_BOT_")}
    assert set_ <= known
    assert {word for word in agent["args"] if word.startswith("--")} <= {
        text for each in command.params for text in each.opts
    }


# -- rights -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(own_agent: LiveAgent, tmp_path: Path) -> Iterator[Programs]:
    with programs(own_agent, tmp_path) as made:
        yield made


def requests(agent: LiveAgent) -> list[dict[str, Any]]:
    lines = (
        json.loads(line) for line in agent.plane.audit_log.read_bytes().splitlines() if agent.account.encode() in line
    )
    return [line for line in lines if line["user"]["username"] == agent.account]


def test_what_the_agent_needs_for_itself_is_what_its_page_says(run, own_agent, place):
    """Everything it asked for in a life: Applications from Git, a sync, drift, a prune, an end, and a stop."""
    repository = own_agent.repository({"shop/all.yaml": manifests(config("settings", colour="red"), config("other"))})
    files = {"more/all.yaml": manifests(config("of-more"))}
    repository.push(
        {**files, **definition(repository, place, "shop", "shop"), **definition(repository, place, "more", "more")}
    )
    assert run.run("--once", repository=repository).end() == 0
    repository.push({"apps/more.yaml": None, "shop/all.yaml": manifests(config("settings", colour="blue"))})
    assert run.run("--once", repository=repository).end() == 0
    own_agent.patch("ConfigMap", place, "settings", {"data": {"colour": "green"}})
    assert run.run("--once", repository=repository).end() == 0
    assert sync_of(own_agent.app("shop")) == "Synced"

    used: set[tuple[str, str, str]] = set()
    paths = set()
    for line in requests(own_agent):
        about = line.get("objectRef")
        if about is None or "resource" not in about:
            paths.add(line["requestURI"].partition("?")[0])
        elif about.get("namespace") != place:
            used.add((about.get("apiGroup", ""), about["resource"], line["verb"]))
    # What its Applications are made of is read and written wherever it is, and is not its own need.
    used = {each for each in used if each[1] not in ("configmaps", "namespaces") or each[2] == "get"}

    rows = re.findall(r"^\| `([a-z0-9.]*)`? *\| `([a-z]+)` \| ([a-z, ]+) \|", PAGE.read_text(), re.MULTILINE)
    told = {(group.replace("core", ""), name, verb) for group, name, verbs in rows for verb in verbs.split(", ")}
    assert used <= told, sorted(used - told)
    assert paths <= {"/api", "/apis", "/apis/nowhere.gitops-bot.invalid", "/version"}
    assert not own_agent.denied()


def test_the_shipped_rights_cover_them_and_nothing_that_gives_rights_away():
    (role,) = (body for body in shipped() if body["kind"] == "ClusterRole")
    verbs = {verb for rule in role["rules"] if "resources" in rule for verb in rule["verbs"]}
    assert verbs == {"get", "list", "watch", "create", "update", "patch", "delete"}  # no bind, escalate, impersonate


def test_roles_of_any_rights_need_one_more_file(installed, place):
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": "everything", "namespace": place},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
    }  # fmt: skip
    key = ResourceKey("rbac.authorization.k8s.io", "Role", place, "everything")
    granted = list(yaml.safe_load_all((ROOT / "deploy" / "grant-roles.yaml").read_text()))
    with contextlib.closing(connect(str(installed.kubeconfig))) as connection:
        objects = Objects(Requests(connection))
        with pytest.raises(Forbidden, match=r"not currently held .*grant-roles\.yaml"):
            objects.apply(role, key, "gitops-bot")
        for body in granted:
            apply(installed.plane, body)
        try:
            assert _taken(objects, role, key)
        finally:
            for body in granted:
                Cluster(installed.plane).delete(body["kind"], "", body["metadata"]["name"])


def _taken(objects: Objects, role: dict[str, Any], key: ResourceKey) -> bool:
    """Whether an object is taken once the API server's authorizer has heard of new rights."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            return bool(objects.apply(role, key, "gitops-bot").body)
        except Forbidden:
            time.sleep(0.05)
    return False
