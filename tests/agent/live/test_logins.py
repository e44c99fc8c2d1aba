"""Where an agent's sources come from, on a real API server: with which logins, and what happens when they do not come."""

from __future__ import annotations

import base64
import logging
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from gitops_bot.agent.loop.definitions import Origin
from gitops_bot.agent.sources.logins import SECRET_TYPE
from gitops_bot.cli.agent.group import command
from tests.agent.live.harness import LiveAgent, Repository, conditions_of, config, manifests, status_of, sync_of
from tests.agent.live.test_definitions import application
from tests.canaries import Canaries
from tests.servers import Certificate, Server, asks_login, directory, git_http, gives
from tests.sshd import SshHost

Served = Callable[..., Repository]


@pytest.fixture
def served(git_server: Server, tmp_path: Path) -> Served:
    """Makes repositories of the test's own server: ``served({path: content})``."""
    (tmp_path / "served").mkdir(exist_ok=True)

    def make(files: Mapping[str, str | bytes | None]) -> Repository:
        name = secrets.token_hex(4)
        (tmp_path / name).mkdir()
        made = Repository(tmp_path / name, tmp_path / "served" / name, f"{git_server.url}/git/{name}")
        made.push(files, "first")
        return made

    return make


def put_secret(agent: LiveAgent, name: str, kind: str = "repository", **fields: str) -> None:
    agent.create({
        "apiVersion": "v1", "kind": "Secret", "stringData": fields,
        "metadata": {"name": name, "namespace": agent.namespace, "labels": {SECRET_TYPE: kind}},
    }, agent.namespace)  # fmt: skip


def comparison_error(body) -> str:
    return conditions_of(body).get("ComparisonError", "")


def test_a_secret_opens_a_repository_as_soon_as_it_is_there_and_is_nowhere_else(
    own_agent: LiveAgent, served: Served, git_server: Server, place: str, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    birds = Canaries()
    first, second = birds.make("first"), birds.make("second")
    repository = served({"a.yaml": manifests(config("one", a="1"))})
    git_server.routes["/git/"] = asks_login(git_http(tmp_path / "served"), "ada", first)
    agent = own_agent
    with caplog.at_level(logging.DEBUG):
        agent.start()
        agent.follow(repository, place, "shop")
        body = agent.wait("shop", comparison_error)
        assert "no access" in comparison_error(body)
        put_secret(agent, "other", url=f"{git_server.url}/git/other", username="ada", password="x")
        put_secret(agent, "org", "repo-creds", url=f"{git_server.url}/git", username="ada", password=first)
        commit = repository.git("rev-parse", "HEAD")
        agent.synced("shop", commit)
        git_server.routes["/git/"] = asks_login(git_http(tmp_path / "served"), "ada", second)
        encoded = base64.b64encode(second.encode()).decode()
        agent.patch("Secret", agent.namespace, "org", {"data": {"password": encoded}})
        commit = repository.push({"a.yaml": manifests(config("one", a="2"))})
        agent.refresh("shop")
        body = agent.synced("shop", commit)
    looked = CliRunner().invoke(
        command, ["diff", "shop", "--kubeconfig", str(agent.kubeconfig), "--namespace", agent.namespace,
                  "--cluster-name", "staging"], catch_exceptions=False,
    )  # fmt: skip
    assert looked.exit_code == 0, looked.output
    said = {
        "diff": looked.output,
        "status": repr(agent.app("shop")),
        "log": caplog.text,
        "requests": repr(agent.calls()),
    }
    birds.assert_silent(said)
    assert not [call for call in agent.calls() if call.resource == "secrets" and call.verb not in ("list", "watch")]
    assert all(
        "labelSelector" in call.uri for call in agent.calls() if call.resource == "secrets" and "agent-" in call.uri
    )


def test_an_ssh_key_waits_for_the_hosts_key(
    own_agent: LiveAgent, served: Served, ssh_host: SshHost, place: str, tmp_path: Path
) -> None:
    repository = served({"a.yaml": manifests(config("one", a="1"))})
    repository.url = ssh_host.url(next((tmp_path / "served").iterdir()))
    agent = own_agent
    put_secret(agent, "deploy", url=repository.url, sshPrivateKey=ssh_host.key)
    agent.start()
    agent.follow(repository, place, "shop")
    body = agent.wait("shop", comparison_error)
    assert "argocd-ssh-known-hosts-cm" in comparison_error(body)
    agent.create({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"ssh_known_hosts": ssh_host.known_hosts},
        "metadata": {"name": "argocd-ssh-known-hosts-cm", "namespace": agent.namespace},
    }, agent.namespace)  # fmt: skip
    agent.synced("shop", repository.git("rev-parse", "HEAD"))


def test_a_hosts_own_authority_is_trusted_as_soon_as_its_certificate_is_known(
    own_agent: LiveAgent, tls_server: Server, certificate: Certificate, packed_charts: Path, place: str, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """For the definitions, for what they render, for charts, and for people who look; for this host alone."""
    agent = own_agent
    (tmp_path / "served").mkdir()
    (tmp_path / "work").mkdir()
    tls_server.routes["/git/"] = git_http(tmp_path / "served")
    tls_server.routes["/charts/"] = directory(packed_charts, "/charts")
    repository = Repository(tmp_path / "work", tmp_path / "served" / "shop", f"{tls_server.url}/git/shop")
    chart = application("chart", repository.url, place, "")
    chart["spec"]["source"] = {"repoURL": f"{tls_server.url}/charts", "chart": "app", "targetRevision": "1.0.0"}
    shop = application("shop", repository.url, place, "shop")
    commit = repository.push({
        "apps/all.yaml": manifests(shop, chart), "shop/a.yaml": manifests(config("one", a="1")),
    })  # fmt: skip
    agent.start(origin=Origin(repository.url, "apps", "main"), poll=1.0)
    agent.until(lambda: "TLS certificate is not trusted" in agent.agent.controller.problem, "it is refused")
    text = certificate.certificate.read_text()
    agent.create({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"other.example": text, "127.0.0.1": "none"},
        "metadata": {"name": "argocd-tls-certs-cm", "namespace": agent.namespace},
    }, agent.namespace)  # fmt: skip
    agent.until(lambda: "what it has for 127.0.0.1 is no certificate" in caplog.text, "it is told")
    assert agent.names("Application", agent.namespace) == []

    agent.patch("ConfigMap", agent.namespace, "argocd-tls-certs-cm", {"data": {"127.0.0.1": text}})
    agent.synced("shop", commit)
    agent.wait("chart", lambda body: sync_of(body) == "Synced")
    assert agent.get("ConfigMap", place, "chart")["data"] == {"it": "1.0.0"}
    looked = CliRunner().invoke(
        command, ["diff", "shop", "--kubeconfig", str(agent.kubeconfig), "--namespace", agent.namespace,
                  "--cluster-name", "staging"], catch_exceptions=False,
    )  # fmt: skip
    assert looked.exit_code == 0, looked.output


def test_a_branch_that_is_rewritten_is_followed_and_told_until_the_next_commit(
    agent: LiveAgent, served: Served, place: str
) -> None:
    repository = served({"a.yaml": manifests(config("one", a="1"))})
    agent.follow(repository, place, "rewritten")
    first = repository.git("rev-parse", "HEAD")
    agent.synced("rewritten", first)
    second = agent.push_and_wait("rewritten", repository, {"a.yaml": manifests(config("one", a="2"))})
    assert "RevisionRewrittenWarning" not in conditions_of(second)
    lost = repository.git("rev-parse", "HEAD")
    repository.git("reset", "--hard", "--quiet", first)
    commit = repository.commit({"a.yaml": manifests(config("one", a="3"))})
    repository.git("push", "--quiet", "--force", "origin", "HEAD:main")
    agent.refresh("rewritten")
    body = agent.synced("rewritten", commit)
    told = conditions_of(body)["RevisionRewrittenWarning"]
    assert f"{commit[:8]} does not follow {lost[:8]}" in told
    assert agent.get("ConfigMap", place, "one")["data"] == {"a": "3"}
    agent.refresh("rewritten")
    body = agent.wait(
        "rewritten", lambda body: "argocd.argoproj.io/refresh" not in body["metadata"].get("annotations", {})
    )
    assert conditions_of(body)["RevisionRewrittenWarning"] == told
    body = agent.push_and_wait("rewritten", repository, {"a.yaml": manifests(config("one", a="4"))})
    assert "RevisionRewrittenWarning" not in conditions_of(body)


def test_a_branch_that_is_deleted_stops_the_sync_and_prunes_nothing(
    agent: LiveAgent, served: Served, place: str
) -> None:
    repository = served({"a.yaml": manifests(config("one", a="1"))})
    repository.git("push", "--quiet", "origin", "HEAD:refs/heads/feature")
    agent.follow(repository, place, "deleted", source={"targetRevision": "feature"})
    agent.synced("deleted", repository.git("rev-parse", "HEAD"))
    repository.git("push", "--quiet", "origin", ":refs/heads/feature")
    agent.refresh("deleted")
    body = agent.wait("deleted", comparison_error)
    assert "no branch or tag 'feature'" in comparison_error(body)
    assert sync_of(body) == "Unknown"
    assert agent.get("ConfigMap", place, "one")["data"] == {"a": "1"}


def test_drift_is_healed_while_the_git_host_is_gone(
    agent: LiveAgent, served: Served, git_server: Server, place: str
) -> None:
    repository = served({"a.yaml": manifests(config("one", a="1"))})
    agent.follow(repository, place, "gone")
    commit = repository.git("rev-parse", "HEAD")
    agent.synced("gone", commit)
    git_server.routes["/git/"] = gives(b"", 503)
    agent.refresh("gone")
    agent.wait("gone", lambda body: "argocd.argoproj.io/refresh" not in body["metadata"].get("annotations", {}))
    agent.patch("ConfigMap", place, "one", {"data": {"a": "by hand"}})
    agent.until(lambda: agent.get("ConfigMap", place, "one")["data"] == {"a": "1"}, "the drift is healed")
    agent.until(lambda: sync_of(agent.app("gone")) == "Synced", "the healing is told")
    body = agent.app("gone")
    assert (sync_of(body), comparison_error(body)) == ("Synced", "")
    assert status_of(body)["sync"]["revision"] == commit


# -- what a hostile repository tries ----------------------------------------------------------------------------------

_CHART = "apiVersion: v2\nname: own\nversion: 1.0.0\n"
HOSTILE: dict[str, tuple[dict[str, str | bytes | None], dict[str, object]]] = {
    "values by ..": ({"Chart.yaml": _CHART}, {"helm": {"valueFiles": ["../../etc/passwd"]}}),
    "values by absolute path": ({"Chart.yaml": _CHART}, {"helm": {"valueFiles": ["/../etc/passwd"]}}),
    "values by file URL": ({"Chart.yaml": _CHART}, {"helm": {"valueFiles": ["file:///etc/passwd"]}}),
    "values by metadata URL": ({"Chart.yaml": _CHART}, {"helm": {"valueFiles": ["http://169.254.169.254/x"]}}),
    "base on another host": (
        {"kustomization.yaml": "resources: ['https://127.0.0.1:1/x//y?ref=1111111111111111111111111111111111111111']\n"}, {},
    ),
    "exec plugin": (
        {"kustomization.yaml": "generators: [g.yaml]\n", "g.yaml": "apiVersion: v1\nkind: X\nmetadata: {name: x, "
         "annotations: {config.kubernetes.io/function: 'exec: {path: /bin/sh}'}}\n"}, {},
    ),
    "alias bomb": ({"a.yaml": "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
    ) + "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"}, {}),
    "deep nesting": ({"a.yaml": f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\ndata: {'[' * 100_000}\n"}, {}),
    "python tags": ({"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: !!python/object/apply:os.system [id]\n"}, {}),
    "dependency on a foreign host": (
        {"Chart.yaml": _CHART + "dependencies:\n- {name: x, version: 1.0.0, repository: 'https://127.0.0.1:1/charts'}\n"}, {},
    ),
    "endless template": ({"Chart.yaml": _CHART, "templates/a.yaml": "{{ range until 2000000000 }}x{{ end }}\n"}, {}),
}  # fmt: skip
REASONS = {
    "values by ..": "leads out of this repository",
    "values by absolute path": "leads out of this repository",
    "values by file URL": "scheme that is not allowed",
    "values by metadata URL": "is not fetched",
    "base on another host": "is not fetched",
    "exec plugin": "functions are never run",
    "alias bomb": "aliases add more",
    "deep nesting": "nested deeper",
    "python tags": "a tag that does not belong here",
    "dependency on a foreign host": "is not fetched",
    "endless template": "look for a loop",
    "link to a file": "absolute path",
    "link out of the repository": "leads out of this repository",
    "link in a circle": "a circle",
}
LINKS = {
    "link to a file": ("a.yaml", "/etc/passwd"),
    "link out of the repository": ("a.yaml", "../../../../etc/passwd"),
    "link in a circle": ("a.yaml", "a.yaml"),
}


@pytest.mark.parametrize("name", [*HOSTILE, *LINKS])
def test_a_hostile_repository_is_refused_by_name_and_nothing_else_suffers(
    agent: LiveAgent, served: Served, git_server: Server, place: str, name: str, helm: str, kustomize: str
) -> None:
    files, source = HOSTILE.get(name, ({"b.yaml": manifests(config("b"))}, {}))
    hostile = served(files)
    if name in LINKS:
        (hostile.path / LINKS[name][0]).symlink_to(LINKS[name][1])
        hostile.push({})
    id_ = secrets.token_hex(4)
    good = served({"a.yaml": manifests(config("good", a="1"))})
    agent.follow(hostile, place, f"hostile-{id_}", source=source)
    agent.follow(good, place, f"good-{id_}")
    agent.synced(f"good-{id_}", good.git("rev-parse", "HEAD"))
    body = agent.wait(f"hostile-{id_}", comparison_error)
    error = comparison_error(body)
    assert "root:" not in error
    assert REASONS[name] in error
    assert sync_of(body) == "Unknown"
    assert [each for each in agent.names("ConfigMap", place) if each not in ("good", "kube-root-ca.crt")] == []
    commit = agent.push_and_wait(f"good-{id_}", good, {"a.yaml": manifests(config("good", a="2"))})
    assert sync_of(commit) == "Synced"
