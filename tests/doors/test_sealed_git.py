"""Git against other hosts with what opens them: real SSH with a key of its own, and nothing of it where others look."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_bot.doors.credentials import Access
from gitops_bot.doors.remote_git import RemoteGit
from gitops_bot.errors import FetchError
from gitops_bot.model import url as urls
from gitops_bot.model.url import Url
from tests.canaries import Canaries, files_below
from tests.conftest import Checkout
from tests.servers import Server, git_http
from tests.sshd import SshHost, make_key


class Opens:
    """One access for every repository."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def access(self, url: Url) -> Access:
        return self._access


def test_a_repository_is_read_over_ssh_with_its_key(
    ssh_host: SshHost, repository: Callable[..., Checkout], tmp_path: Path
) -> None:
    origin = repository({"a": "1"})
    url = urls.parse_git(ssh_host.url(origin.path))
    commit = origin.git("rev-parse", "HEAD")
    remote = RemoteGit(tmp_path / "cache", Opens(Access(key=ssh_host.key, known_hosts=ssh_host.known_hosts)))
    assert remote.references(url).head == commit
    remote.fetch(url, commit)
    assert remote.tree(url, commit).read("a") == b"1"
    remote.close()
    birds = Canaries()
    birds.values["key"] = ssh_host.key.splitlines()[2]
    birds.assert_silent(files_below(tmp_path / "cache"))


def test_a_host_with_another_key_is_not_spoken_to(
    ssh_host: SshHost, repository: Callable[..., Checkout], tmp_path: Path
) -> None:
    origin = repository({"a": "1"})
    make_key(tmp_path / "other")
    other = f"[127.0.0.1]:{ssh_host.port} {(tmp_path / 'other.pub').read_text()}"
    remote = RemoteGit(tmp_path / "cache", Opens(Access(key=ssh_host.key, known_hosts=other)))
    with pytest.raises(FetchError, match="host's key is not the one that is known") as caught:
        remote.references(urls.parse_git(ssh_host.url(origin.path)))
    assert "known hosts" in caught.value.hint


def test_a_key_that_the_host_does_not_take_is_no_access(
    ssh_host: SshHost, repository: Callable[..., Checkout], tmp_path: Path
) -> None:
    origin = repository({"a": "1"})
    wrong = make_key(tmp_path / "wrong")
    remote = RemoteGit(tmp_path / "cache", Opens(Access(key=wrong, known_hosts=ssh_host.known_hosts)))
    with pytest.raises(FetchError, match="no access"):
        remote.references(urls.parse_git(ssh_host.url(origin.path)))


@pytest.mark.parametrize(("access", "message"), [
    (Access(key="-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----\n"), "known_hosts is needed"),
    (Access(key="CANARY", known_hosts="host ssh-ed25519 AAAA"), "no private key"),
])  # fmt: skip
def test_what_is_not_whole_is_not_used(access: Access, message: str, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=message) as caught:
        RemoteGit(tmp_path / "cache", Opens(access)).references(urls.parse_git("git@git.example.org:acme/shop"))
    assert "CANARY" not in caught.value.told


def test_no_secret_is_where_others_look_while_git_runs(
    git_server: Server, repository: Callable[..., Checkout], tmp_path: Path
) -> None:
    """In no command line of this machine, no file of ours, and in the environment of git alone."""
    birds = Canaries()
    secret = birds.make("password")
    origin = repository({"a": "1"}, name="served/origin")
    lines: list[str] = []
    real = git_http(tmp_path / "served")

    def looking(handler) -> None:
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                try:
                    lines.append((process / "cmdline").read_text().replace("\0", " "))
                except OSError:
                    continue
        real(handler)

    git_server.routes["/git/"] = looking
    url = urls.parse(f"{git_server.url}/git/origin")
    remote = RemoteGit(tmp_path / "cache", Opens(Access(header=f"Basic {secret}")), partial=True)
    remote.fetch(url, remote.references(url).head)
    remote.tree(url, origin.git("rev-parse", "HEAD")).read("a")
    remote.close()
    assert any("git-remote-http" in line and "/git/origin" in line for line in lines)
    assert all(seen.headers.get("authorization") == f"Basic {secret}" for seen in git_server.seen)
    birds.assert_silent({"command lines": "\n".join(lines), **files_below(tmp_path / "cache")})


def test_threads_reach_different_places_at_once_each_with_its_own(
    git_server: Server, repository: Callable[..., Checkout], tmp_path: Path
) -> None:
    names = [f"repository-{number}" for number in range(4)]
    for name in names:
        repository({"a": name}, name=f"served/{name}")

    class Each:
        def access(self, url: Url) -> Access:
            return Access(header=f"Basic {url.path.rpartition('/')[2]}")

    remote = RemoteGit(tmp_path / "cache", Each())
    git_server.routes["/git/"] = git_http(tmp_path / "served")
    threads = [
        threading.Thread(target=remote.references, args=(urls.parse(f"{git_server.url}/git/{name}"),))
        for name in names
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent = {(seen.path.split("/")[2], seen.headers.get("authorization")) for seen in git_server.seen}
    assert sent == {(name, f"Basic {name}") for name in names}


def test_an_ssh_key_lies_on_no_disk_while_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program that stands in for ssh notes what it was given."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ssh").write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/given\nwhile [ "$1" != -i ]; do shift; done\ncat "$2" > {tmp_path}/read\n'
        f'ls -l "$2" > {tmp_path}/where\nexit 1\n'
    )
    (tmp_path / "bin" / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    key = make_key(tmp_path / "key")
    with pytest.raises(FetchError):
        RemoteGit(tmp_path / "cache", Opens(Access(key=key, known_hosts="h ssh-ed25519 AAAA"))).references(
            urls.parse_git("git@git.example.org:acme/shop")
        )
    assert (tmp_path / "read").read_text() == key
    assert "memfd:" in (tmp_path / "where").read_text()
    assert "StrictHostKeyChecking=yes" in (tmp_path / "given").read_text()
