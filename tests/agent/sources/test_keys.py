"""The agent's logins as they change: Secrets, mounted files, and tokens of GitHub Apps from the fake GitHub."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from gitops_bot.agent.sources.keys import Files, Keys
from gitops_bot.agent.sources.logins import GitHubApp
from gitops_bot.cli.agent.assembly import app_token
from gitops_bot.doors.remote_git import RemoteGit
from gitops_bot.errors import FetchError, UsageError
from gitops_bot.model import url as urls
from tests.agent.sources.test_logins import PEM, secret
from tests.canaries import Canaries, files_below
from tests.conftest import Checkout
from tests.github.fake import FakeGitHub
from tests.servers import Server, asks_login, git_http
from tests.sshd import SshHost

SHOP = urls.parse("https://git.example.org/acme/shop")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def no_app(app: GitHubApp, repository: str) -> str:
    pytest.fail("no App is there")


def keys(files: Files | None = None) -> Keys:
    return Keys(no_app, Clock(), files or Files())


def test_secrets_count_as_they_change() -> None:
    made = keys()
    one = secret("repo-creds", "org", url="https://git.example.org/acme", password="one")
    assert made.replace([one])
    assert not made.replace([one])
    first = made.access(SHOP, "default").header
    assert made.put(secret("repo-creds", "org", url="https://git.example.org/acme", password="two"))
    assert not made.put(secret("repo-creds", "org", url="https://git.example.org/acme", password="two"))
    assert made.access(SHOP, "default").header != first
    assert made.remove(one)
    assert not made.remove(one)
    assert made.access(SHOP, "default").header == ""


def test_what_is_wrong_is_told_once_and_by_whom_it_concerns(caplog: pytest.LogCaptureFixture) -> None:
    made = keys()
    wrong = secret("repo-creds", "org", url="https://git.example.org/acme", password="CANARY", insecure="true")
    with caplog.at_level(logging.WARNING):
        made.replace([wrong])
        made.put(wrong)
    assert len(caplog.messages) == 1
    (problem,) = made.problems
    assert "Secret org" in problem
    with pytest.raises(FetchError, match=r"git\.example\.org/acme/shop is not asked: Secret org") as caught:
        made.access(SHOP, "default")
    (sent,) = made.sent("default", [str(SHOP)])
    assert (sent.refused, sent.header) == (problem, "")
    assert "CANARY" not in caught.value.told + caplog.text
    made.remove(wrong)
    assert made.problems == ()


def test_a_key_is_not_used_before_the_hosts_key_is_known() -> None:
    made = keys()
    made.replace([secret(name="deploy", url="git@git.example.org:acme/shop.git", sshPrivateKey=PEM)])
    url = urls.parse_git("git@git.example.org:acme/shop")
    with pytest.raises(FetchError, match="no host's key is known") as caught:
        made.access(url, "")
    assert "argocd-ssh-known-hosts-cm" in caught.value.hint
    assert "ssh_known_hosts" in caught.value.hint
    (sent,) = made.sent("", [str(url)])
    assert "no host's key is known" in sent.refused
    assert made.put_hosts("git.example.org ssh-ed25519 AAAA")
    assert not made.put_hosts("git.example.org ssh-ed25519 AAAA")
    assert made.access(url, "").known_hosts.strip() == "git.example.org ssh-ed25519 AAAA"
    (sent,) = made.sent("", [str(url)])
    assert (sent.key, sent.refused, sent.known_hosts.strip()) == (PEM, "", "git.example.org ssh-ed25519 AAAA")


def test_a_projects_login_leaves_for_its_applications_only() -> None:
    made = keys()
    made.replace([
        secret(name="team", url=str(SHOP), password="team", project="team"),
        secret("repo-creds", "org", url="https://git.example.org/acme", password="all"),
    ])  # fmt: skip
    assert [each.source for each in made.sent("default", [str(SHOP)])] == ["Secret org"]
    assert {each.source for each in made.sent("team", [str(SHOP)])} == {"Secret org", "Secret team"}
    assert (made.scope(str(SHOP), "team"), made.scope(str(SHOP), "default")) == ("team", "")
    assert made.scope("https://git.example.org/acme/other", "team") == ""


# -- mounted files ----------------------------------------------------------------------------------------------------


def test_files_open_what_is_beside_the_repository_and_are_read_when_needed(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("ghp_one\n")
    made = keys(Files("https://git.example.org/acme/deploy", tmp_path / "token"))

    def sent() -> str:
        return base64.b64decode(made.access(SHOP, "").header.removeprefix("Basic ")).decode()

    assert sent() == "x-access-token:ghp_one"
    (tmp_path / "token").write_text("ghp_two\n")
    assert sent() == "x-access-token:ghp_two"
    assert made.access(urls.parse("https://git.example.org/other/x"), "").header == ""
    (tmp_path / "token").unlink()
    with pytest.raises(FetchError, match="cannot be read"):
        made.access(SHOP, "")
    (tmp_path / "token").write_text("\n")
    with pytest.raises(FetchError, match="is empty"):
        made.access(SHOP, "")


def test_a_secret_for_the_repository_comes_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("ghp_one")
    made = keys(Files("https://git.example.org/acme/deploy", tmp_path / "token"))
    made.replace([secret(url=str(SHOP), bearerToken="own")])
    assert made.access(SHOP, "").header == "Bearer own"


def test_a_key_file_takes_the_known_hosts_of_both_places(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(PEM)
    (tmp_path / "hosts").write_text("from-file ssh-ed25519 AAAA\n")
    made = keys(Files("git@git.example.org:acme/deploy", None, tmp_path / "key", tmp_path / "hosts"))
    made.put_hosts("from-map ssh-ed25519 AAAA")
    access = made.access(urls.parse_git("git@git.example.org:acme/shop"), "")
    assert access.key == PEM
    assert "from-file" in access.known_hosts
    assert "from-map" in access.known_hosts
    assert made.uses_ssh


@pytest.mark.parametrize(("files", "message"), [
    (Files("", Path("t")), "without --repo"),
    (Files("git@h.example.org:a/b", Path("t")), "opens no SSH URL"),
    (Files("https://h.example.org/a/b", None, Path("k")), "opens no https URL"),
])  # fmt: skip
def test_a_file_that_can_open_nothing_is_refused_at_the_start(files: Files, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        files.check()


# -- GitHub Apps ------------------------------------------------------------------------------------------------------


class Minting:
    """Makes real tokens of the fake's App, and notes how often."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, app: GitHubApp, repository: str) -> str:
        self.asked.append(repository)
        return app_token(app, repository)


def app_secret(github: FakeGitHub, kind: str, url: str, **fields: str):
    installation = {"githubAppInstallationID": str(github.app.installation_id)} if "installation" not in fields else {}
    fields.pop("installation", None)
    return secret(
        kind, "app", url=url, githubAppID=str(github.app.id), githubAppPrivateKey=github.app.private_key,
        githubAppEnterpriseBaseUrl=github.enterprise_url, **installation, **fields,
    )  # fmt: skip


@pytest.mark.parametrize("installation", ["", "looked up"])
def test_an_app_reads_one_repository_with_a_token_for_it_alone(
    github: FakeGitHub, tmp_path: Path, installation: str
) -> None:
    shop = github.repository("shop/apps", {"a": "1"})
    github.repository("shop/other", {"a": "1"}, private=True)
    clock, mint = Clock(), Minting()
    made = Keys(mint, clock)
    more = {"installation": "none"} if installation else {}
    made.replace([app_secret(github, "repository", f"{github.server_url}/shop/apps", **more)])
    url = urls.parse(f"{github.server_url}/Shop/apps")
    remote = RemoteGit(tmp_path / "cache", made.of("default"), seconds=20)
    assert remote.references(url).head == shop.git.resolve("main")
    remote.references(url)
    assert mint.asked == ["Shop/apps"]
    token = base64.b64decode(made.access(url, "").header.removeprefix("Basic ")).decode().partition(":")[2]
    minted = github.tokens.find(token)
    assert minted.repositories is not None
    assert {name.lower() for name in minted.repositories} == {"shop/apps"}
    assert minted.permissions == {"contents": "read"}
    with pytest.raises(FetchError, match="no access"):
        remote.references(urls.parse(f"{github.server_url}/shop/other"))


def test_an_app_for_an_organisation_reads_its_repositories_with_one_token(github: FakeGitHub, tmp_path: Path) -> None:
    shop = github.repository("shop/apps", {"a": "1"})
    other = github.repository("shop/other", {"a": "1"}, private=True)
    clock, mint = Clock(), Minting()
    made = Keys(mint, clock)
    made.replace([app_secret(github, "repo-creds", f"{github.server_url}/shop")])
    remote = RemoteGit(tmp_path / "cache", made.of("default"), seconds=20)
    for repository in (shop, other):
        url = urls.parse(f"{github.server_url}/{repository.full_name}")
        assert remote.references(url).head == repository.git.resolve("main")
    assert mint.asked == [""]
    (sent,) = made.sent("default", [f"{github.server_url}/shop/apps"])
    assert sent.below
    assert github.app.private_key not in msgspec.json.encode(sent).decode()
    assert mint.asked == [""]


def test_a_token_is_renewed_before_it_ends(github: FakeGitHub) -> None:
    github.repository("shop/apps", {"a": "1"})
    clock, mint = Clock(), Minting()
    made = Keys(mint, clock)
    made.replace([app_secret(github, "repo-creds", f"{github.server_url}/shop")])
    url = urls.parse(f"{github.server_url}/shop/apps")
    first = made.access(url, "").header
    for minutes in (30, 19):
        clock.now += minutes * 60
        assert made.access(url, "").header == first
    clock.now += 2 * 60
    assert made.access(url, "").header != first
    assert len(mint.asked) == 2


def test_an_app_that_gives_no_token_is_told_and_asked_again_later(github: FakeGitHub) -> None:
    github.repository("shop/apps", {"a": "1"})
    clock, mint = Clock(), Minting()
    made = Keys(mint, clock)
    made.replace([app_secret(github, "repo-creds", f"{github.server_url}/shop")])
    url = urls.parse(f"{github.server_url}/shop/apps")
    installation, github.app.installation_id = github.app.installation_id, 999_999
    for _ in range(3):
        with pytest.raises(FetchError, match=r"Secret app: .*installation"):
            made.access(url, "")
    (sent,) = made.sent("", [str(url)])
    assert "Secret app" in sent.refused
    assert len(mint.asked) == 1
    github.app.installation_id = installation
    clock.now += 61
    assert made.access(url, "").header
    assert len(mint.asked) == 2


# -- what opens it, opens it ------------------------------------------------------------------------------------------


def test_a_password_and_a_key_open_real_repositories_and_lie_nowhere(
    git_server: Server, ssh_host: SshHost, repository: Callable[..., Checkout], tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    birds = Canaries()
    origin = repository({"a": "1"}, name="served/origin")
    git_server.routes["/git/"] = asks_login(git_http(tmp_path / "served"), "ada", birds.make("password"))
    birds.values["key"] = ssh_host.key.splitlines()[2]
    made = keys()
    by_ssh = ssh_host.url(origin.path)
    with caplog.at_level(logging.DEBUG):
        made.replace([
            secret("repo-creds", "http", url=f"{git_server.url}/git", username="ada", password=birds.make("password")),
            secret(name="ssh", url=by_ssh, sshPrivateKey=ssh_host.key),
        ])  # fmt: skip
        made.put_hosts(ssh_host.known_hosts)
        remote = RemoteGit(tmp_path / "cache", made.of("default"), seconds=20, partial=True)
        for url in (urls.parse(f"{git_server.url}/git/origin"), urls.parse_git(by_ssh)):
            commit = remote.references(url).head
            remote.fetch(url, commit)
            assert remote.tree(url, commit).read("a") == b"1"
    remote.close()
    birds.assert_silent({"log": caplog.text, "repr": repr(made.sent("", [])), **files_below(tmp_path / "cache")})
