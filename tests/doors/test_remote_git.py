"""Other Git repositories over real smart HTTP."""

from __future__ import annotations

import os
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from gitops_bot.doors.cached_tree import CachedRepository, Damaged
from gitops_bot.doors.credentials import Credential, Credentials
from gitops_bot.doors.remote_git import Bounds, RemoteGit
from gitops_bot.errors import FetchError
from gitops_bot.manifests.redact import mask_text
from gitops_bot.model import url as urls
from gitops_bot.model.url import Url
from tests.conftest import Checkout
from tests.servers import Server, asks_login, git_http, gives, redirects, silent

FILES = {"base/a.yaml": "a: 1\n", "base/b.yaml": "b: 1\n", "run.sh": "#!/bin/sh\n", "base.txt": "x", "base-2/c": "c"}


@pytest.fixture
def origin(git_server: Server, tmp_path: Path, repository: Callable[..., Checkout]) -> Checkout:
    """A repository served at ``<url>/git/origin``."""
    checkout = repository(FILES, name="served/origin")
    (checkout.path / "run.sh").chmod(0o755)
    checkout.commit({})
    return checkout


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[RemoteGit]:
    made = RemoteGit(tmp_path / "cache", seconds=20)
    yield made
    made.close()


def at(server: Server, name: str = "origin") -> Url:
    return urls.parse(f"{server.url}/git/{name}")


def content(remote: RemoteGit, url: Url, commit: str) -> Mapping[str, bytes]:
    tree = remote.tree(url, commit)
    return {path: tree.read(path) for path, entry in tree.entries.items() if entry.is_file}


def test_references_are_listed_with_tags_followed_to_their_commit(
    git_server: Server, origin: Checkout, remote: RemoteGit
) -> None:
    first = origin.git("rev-parse", "HEAD")
    origin.git("tag", "v1.0.0")
    origin.git("tag", "-a", "v1.1.0", "-m", "annotated")
    origin.git("switch", "--quiet", "-c", "feature/x")
    second = origin.commit({"new": "1"})
    origin.git("switch", "--quiet", "main")
    found = remote.references(at(git_server))
    assert found.head == first
    assert found.branches == {"main": first, "feature/x": second}
    assert found.tags == {"v1.0.0": first, "v1.1.0": first}


def test_one_commit_comes_without_history_and_reads_back(
    git_server: Server, origin: Checkout, remote: RemoteGit
) -> None:
    old = origin.git("rev-parse", "HEAD")
    new = origin.commit({"base/a.yaml": "a: 2\n"})
    url = at(git_server)
    assert not remote.has(url, new)
    remote.fetch(url, new)
    assert remote.has(url, new)
    assert not remote.has(url, old)
    assert content(remote, url, new) == {**{k: v.encode() for k, v in FILES.items()}, "base/a.yaml": b"a: 2\n"}
    asked = len(git_server.seen)
    remote.fetch(url, new)
    assert len(git_server.seen) == asked


def test_a_second_commit_of_the_same_repository_joins_the_first(
    git_server: Server, origin: Checkout, remote: RemoteGit
) -> None:
    first = origin.git("rev-parse", "HEAD")
    url = at(git_server)
    remote.fetch(url, first)
    early = remote.tree(url, first)
    assert early.read("base/a.yaml") == b"a: 1\n"
    second = origin.commit({"base/a.yaml": "a: 2\n"})
    remote.fetch(url, second)
    assert remote.tree(url, second).read("base/a.yaml") == b"a: 2\n"
    assert early.read("base/b.yaml") == b"b: 1\n"


def test_a_commit_that_nothing_points_at_is_an_error(git_server: Server, origin: Checkout, remote: RemoteGit) -> None:
    with pytest.raises(FetchError) as caught:
        remote.fetch(at(git_server), "1" * 40)
    assert "git/origin" in caught.value.message
    assert not remote.has(at(git_server), "1" * 40)


def test_a_server_that_gives_no_bare_commits_is_asked_for_its_branches(
    git_server: Server, origin: Checkout, remote: RemoteGit, tmp_path: Path
) -> None:
    old = origin.git("rev-parse", "HEAD")
    origin.commit({"more": "1"})
    calls: list[bytes] = []
    real = git_http(tmp_path / "served")

    def old_server(handler) -> None:
        """Version 0 of the protocol, in which a server only gives what it advertises."""
        del handler.headers["Git-Protocol"]
        calls.append(handler.path.encode())
        real(handler)

    git_server.routes["/git/"] = old_server
    remote.fetch(at(git_server), old)
    assert content(remote, at(git_server), old)["base/a.yaml"] == b"a: 1\n"
    assert [call.rpartition(b"/")[2][:9] for call in calls] == [b"refs?serv", b"refs?serv", b"git-uploa"]


def test_a_missing_repository_and_a_closed_one_are_told_with_the_next_step(
    git_server: Server, origin: Checkout, remote: RemoteGit, tmp_path: Path
) -> None:
    with pytest.raises(FetchError, match="no such repository, or no access") as caught:
        remote.references(at(git_server, "nowhere"))
    assert "a repository Secret in the cluster" in caught.value.hint
    assert mask_text(caught.value.told) == caught.value.told
    git_server.routes["/git/"] = asks_login(git_http(tmp_path / "served"), "ada", "s3cret")
    with pytest.raises(FetchError, match="no such repository, or no access"):
        remote.references(at(git_server))


def test_a_credential_reaches_its_own_repository_only(
    git_server: Server, origin: Checkout, other_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git_server.routes["/git/"] = asks_login(git_http(tmp_path / "served"), "ada", "s3cret")
    other_server.routes["/git/"] = git_http(tmp_path / "served")
    header = "Basic YWRhOnMzY3JldA=="
    bound = Credentials((Credential(at(git_server), header),))
    remote = RemoteGit(tmp_path / "cache", bound, seconds=20)
    commit = origin.git("rev-parse", "HEAD")
    remote.fetch(at(git_server), commit)
    assert content(remote, at(git_server), commit)["run.sh"] == b"#!/bin/sh\n"
    remote.fetch(at(other_server), commit)
    assert all("authorization" not in seen.headers for seen in other_server.seen)
    remote.close()
    kept = b"".join(path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert b"YWRhOnMzY3JldA" not in kept and b"s3cret" not in kept


def test_the_users_own_git_configuration_is_not_asked(
    git_server: Server, origin: Checkout, remote: RemoteGit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A credential helper, a rewritten URL, a template with a hook and a netrc of the home: none has a say."""
    home = tmp_path / "home"
    home.mkdir()
    touched = tmp_path / "touched"
    (home / ".netrc").write_text("machine 127.0.0.1 login ada password s3cret\n")
    (home / ".gitconfig").write_text(
        f'[credential]\n\thelper = "!touch {touched}; echo username=ada; echo password=s3cret; :"\n'
        f'[url "{git_server.url}/git/nowhere"]\n\tinsteadOf = {git_server.url}/git/origin\n'
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    remote.references(at(git_server))
    git_server.routes["/git/"] = asks_login(git_http(tmp_path / "served"), "ada", "s3cret")
    with pytest.raises(FetchError):
        remote.references(at(git_server))
    assert not touched.exists()
    assert all("authorization" not in seen.headers for seen in git_server.seen)


def test_a_redirect_is_not_followed_but_the_other_spelling_is_tried(
    git_server: Server, origin: Checkout, other_server: Server, remote: RemoteGit, tmp_path: Path
) -> None:
    other_server.routes["/git/"] = git_http(tmp_path / "served")
    git_server.routes["/moved/"] = redirects(f"{other_server.url}/git/origin/info/refs?service=git-upload-pack", 301)
    with pytest.raises(FetchError, match="redirects to another place"):
        remote.references(urls.parse(f"{git_server.url}/moved/origin"))
    assert other_server.seen == []
    git_server.routes["/git/origin/"] = redirects(f"{git_server.url}/git/origin.git/info/refs", 301)
    git_server.routes["/git/origin.git/"] = lambda handler: _as(handler, "/git/origin.git", "/git/origin", tmp_path)
    assert remote.references(at(git_server)).branches.keys() == {"main"}


def _as(handler, prefix: str, real: str, tmp_path: Path) -> None:
    handler.path = real + handler.path.removeprefix(prefix)
    git_http(tmp_path / "served")(handler)


def test_a_server_that_never_answers_is_left(git_server: Server, tmp_path: Path) -> None:
    released = threading.Event()
    git_server.routes["/git/"] = silent(released)
    try:
        with pytest.raises(FetchError, match=r"stopped after 0\.5 s"):
            RemoteGit(tmp_path / "cache", seconds=0.5).references(at(git_server))
    finally:
        released.set()


def test_what_is_no_git_server_is_said(git_server: Server, remote: RemoteGit) -> None:
    git_server.routes["/git/"] = gives(b"<html>welcome</html>")
    with pytest.raises(FetchError, match="git/origin has no branch"):
        remote.references(at(git_server))


@pytest.mark.parametrize("scheme", ["file", "ext", "git"])
def test_only_the_protocol_of_the_url_is_spoken(remote: RemoteGit, origin: Checkout, scheme: str, tmp_path) -> None:
    """A submodule or a redirect cannot lead to another protocol, and neither can a URL that slipped through."""
    url = Url("https", "", "127.0.0.1:1", None, "/x")

    class Sly(Url):
        def __str__(self) -> str:
            return {"file": f"file://{origin.path}", "ext": f"ext::touch {tmp_path}/pwned", "git": "git://127.0.0.1/x"}[
                scheme
            ]

    with pytest.raises(FetchError):
        remote.references(Sly(*url))
    assert not (tmp_path / "pwned").exists()


def test_many_threads_fetch_one_commit_once(git_server: Server, origin: Checkout, tmp_path: Path) -> None:
    commit = origin.git("rev-parse", "HEAD")
    errors: list[Exception] = []

    def work() -> None:
        try:
            RemoteGit(tmp_path / "cache", seconds=20).fetch(at(git_server), commit)
        except Exception as error:  # noqa: BLE001 - a thread tells the test
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sum("git-upload-pack" in path and "info/refs" not in path for path in git_server.paths()) <= 3
    assert RemoteGit(tmp_path / "cache").has(at(git_server), commit)


def test_a_damaged_object_of_the_cache_is_noticed(
    git_server: Server, origin: Checkout, remote: RemoteGit, tmp_path: Path
) -> None:
    """Somebody puts another content under a known object's id: neither a file nor a listing is believed."""
    commit = origin.git("rev-parse", "HEAD")
    url = at(git_server)
    remote.fetch(url, commit)
    bare = next(path.parent for path in (tmp_path / "cache").rglob("HEAD"))
    blob = origin.git("rev-parse", f"{commit}:base/a.yaml")
    _unpack_all(bare)
    _replace(bare, blob, b"blob", b"a: 6\n")
    tree = remote.tree(url, commit)
    assert tree.read("base/b.yaml") == b"b: 1\n"
    with pytest.raises(Damaged, match="damaged"):
        tree.read("base/a.yaml")
    remote.close()
    base = origin.git("rev-parse", f"{commit}:base")
    _replace(bare, base, b"tree", b"100644 evil.yaml\0" + bytes.fromhex(blob))
    with pytest.raises(Damaged, match="damaged"):
        remote.tree(url, commit)
    remote.forget(url)
    assert not remote.has(url, commit)
    remote.fetch(url, commit)
    assert remote.tree(url, commit).read("base/a.yaml") == b"a: 1\n"


def _unpack_all(bare: Path) -> None:
    for pack in list((bare / "objects/pack").glob("*.pack")):
        moved = bare / pack.name
        pack.rename(moved)
        for rest in (bare / "objects/pack").glob(f"{pack.stem}*"):
            rest.unlink()
        with moved.open("rb") as stream:
            subprocess.run(["git", "unpack-objects", "-q"], cwd=bare, stdin=stream, check=True)


def _replace(bare: Path, oid: str, kind: bytes, content: bytes) -> None:
    path = bare / "objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    path.write_bytes(zlib.compress(kind + b" %d\0" % len(content) + content))


@pytest.fixture
def opened(repository: Callable[..., Checkout]) -> Iterator[Callable[[Checkout], CachedRepository]]:
    with ExitStack() as stack:

        def make(checkout: Checkout) -> CachedRepository:
            made = CachedRepository(checkout.path, "it", {"PATH": os.environ["PATH"]})
            stack.callback(made.close)
            return made

        yield make


def test_a_tree_with_a_path_that_leads_out_is_refused(opened, repository: Callable[..., Checkout]) -> None:
    checkout = repository({"a": "1"})
    blob = checkout.git("rev-parse", "HEAD:a")
    for name in (b"..", b".git", b".GIT"):
        body = b"100644 x\0" + bytes.fromhex(blob)
        inner = _object(checkout.path, "tree", body)
        outer = _object(checkout.path, "tree", b"40000 " + name + b"\0" + bytes.fromhex(inner))
        with pytest.raises(FetchError, match="leads out"):
            opened(checkout).tree(_commit(checkout, outer))


def _commit(checkout: Checkout, tree: str) -> str:
    return checkout.git("commit-tree", "-m", "made", tree)


def _object(where: Path, kind: str, body: bytes) -> str:
    made = subprocess.run(
        ["git", "hash-object", "-t", kind, "-w", "--stdin", "--literally"], cwd=where, input=body, capture_output=True,
        check=True,
    )  # fmt: skip
    return made.stdout.decode().strip()


def test_every_shape_of_tree_is_proved_right(opened, repository: Callable[..., Checkout]) -> None:
    """Links, executables, names of other letters, and the group-writable mode that old commits have."""
    checkout = repository({"a/x": "1", "a.b": "2", "a-b": "3", "ä/é": "5", "deep/er/and/deeper": "6", "empty": ""})
    (checkout.path / "link").symlink_to("a/x")
    (checkout.path / "a.b").chmod(0o755)
    commit = checkout.commit({})
    blob = checkout.git("rev-parse", "HEAD:a.b")
    old = _object(checkout.path, "tree", b"100664 old\0" + bytes.fromhex(blob))
    cached = opened(checkout)
    tree = cached.tree(commit)
    assert tree.oid == checkout.git("rev-parse", f"{commit}^{{tree}}")
    assert tree.read("link") == b"1"
    assert cached.tree(_commit(checkout, old)).read("old") == b"2"


# -- commits without their files --------------------------------------------------------------------------------------


def uploads(server: Server) -> int:
    """How often objects were asked for."""
    return sum(path.endswith("git-upload-pack") for path in server.paths())


@pytest.fixture
def partial(tmp_path: Path, git_server: Server, origin: Checkout) -> Iterator[RemoteGit]:
    origin.git("config", "uploadpack.allowFilter", "true")
    made = RemoteGit(tmp_path / "partial", seconds=20, partial=True)
    yield made
    made.close()


def test_files_come_when_they_are_read_with_those_beside_them(
    partial: RemoteGit, git_server: Server, origin: Checkout, tmp_path: Path
) -> None:
    big = os.urandom(300_000)
    origin.commit({"big/file": big, "base/link/values.yaml": "v: 1\n"})
    (origin.path / "link").symlink_to("base/a.yaml")
    commit = origin.commit({})
    url = at(git_server)
    partial.fetch(url, commit)
    tree = partial.tree(url, commit, lambda path: path.endswith("values.yaml"))
    git_server.seen.clear()
    assert tree.read("base/a.yaml") == b"a: 1\n"
    asked = uploads(git_server)
    assert asked > 0
    # Beside it, what was named as coming first, and links: all with the same question.
    assert (tree.read("base/b.yaml"), tree.read("base/link/values.yaml"), tree.read("link")) == (
        b"b: 1\n", b"v: 1\n", b"a: 1\n"
    )  # fmt: skip
    assert uploads(git_server) == asked
    kept = sum(path.stat().st_size for path in (tmp_path / "partial").rglob("*") if path.is_file())
    assert kept < 100_000
    assert tree.read("big/file") == big


def test_a_new_commit_costs_what_is_new(
    partial: RemoteGit, remote: RemoteGit, git_server: Server, origin: Checkout, tmp_path: Path
) -> None:
    origin.commit({"big/file": os.urandom(300_000), **{f"dir-{n}/{m}": f"{n}{m}" for n in range(30) for m in range(5)}})
    url = at(git_server)
    for each in (partial, remote):
        each.fetch(url, origin.git("rev-parse", "HEAD"))
    sent: list[int] = []
    real = git_http(tmp_path / "served")

    def counting(handler) -> None:
        plain = handler.wfile.write
        handler.wfile.write = lambda data: (sent.append(len(data)), plain(data))[1]
        real(handler)

    git_server.routes["/git/"] = counting
    commit = origin.commit({"base/a.yaml": "a: 2\n"})
    for each in (partial, remote):
        sent.clear()
        each.fetch(url, commit)
        assert each.tree(url, commit).read("base/a.yaml") == b"a: 2\n"
        assert sum(sent) < 10_000, each


def test_a_server_that_cannot_leave_files_out_gives_them(git_server: Server, origin: Checkout, tmp_path: Path) -> None:
    made = RemoteGit(tmp_path / "partial", seconds=20, partial=True)
    url, commit = at(git_server), origin.git("rev-parse", "HEAD")
    made.fetch(url, commit)
    git_server.seen.clear()
    assert content(made, url, commit).keys() == FILES.keys()
    assert git_server.seen == []
    made.close()


def test_git_itself_brings_nothing_that_is_missing(
    partial: RemoteGit, git_server: Server, origin: Checkout, tmp_path: Path
) -> None:
    """What lies in the cache names no place and holds no credential to fetch with."""
    url, commit = at(git_server), origin.git("rev-parse", "HEAD")
    partial.fetch(url, commit)
    bare = next(path.parent for path in (tmp_path / "partial").rglob("HEAD"))
    assert "remote" not in (bare / "config").read_text()
    git_server.seen.clear()
    ended = subprocess.run(
        ["git", "cat-file", "-p", f"{commit}:base/a.yaml"], cwd=bare, capture_output=True, check=False
    )
    assert ended.returncode != 0
    assert git_server.seen == []


def test_files_that_cannot_be_had_any_more_are_told(
    partial: RemoteGit, git_server: Server, origin: Checkout, tmp_path: Path
) -> None:
    url, commit = at(git_server), origin.git("rev-parse", "HEAD")
    partial.fetch(url, commit)
    tree = partial.tree(url, commit)
    git_server.routes["/git/"] = gives(b"", 503)
    with pytest.raises(FetchError, match="git/origin"):
        tree.read("base/a.yaml")
    git_server.routes["/git/"] = git_http(tmp_path / "served")
    assert tree.read("base/a.yaml") == b"a: 1\n"


# -- the cache is bounded ---------------------------------------------------------------------------------------------


def kept_bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def test_a_repository_that_has_grown_begins_anew(git_server: Server, origin: Checkout, tmp_path: Path) -> None:
    url, cache = at(git_server), tmp_path / "cache"
    for _ in range(12):
        commit = origin.commit({"file": os.urandom(50_000)})
        made = RemoteGit(cache, seconds=20, bounds=Bounds(repository=400_000))
        made.fetch(url, commit)
        assert made.tree(url, commit).read("base/a.yaml") == b"a: 1\n"
        made.close()
        assert kept_bytes(cache) < 400_000


def test_repositories_that_were_unused_for_longest_go(
    git_server: Server, repository: Callable[..., Checkout], tmp_path: Path
) -> None:
    bounds, found = Bounds(total=150_000), {}
    for number, name in enumerate(("one", "two", "three")):
        made = RemoteGit(tmp_path / "cache", seconds=20, bounds=bounds)
        found[name] = repository({"file": os.urandom(100_000)}, name=f"served/{name}").git("rev-parse", "HEAD")
        made.fetch(at(git_server, name), found[name])
        made.tree(at(git_server, name), found[name])
        made.close()
        for use in (tmp_path / "cache").rglob("used"):
            if use.stat().st_mtime > 10_000:
                os.utime(use, (1000 + number, 1000 + number))
    after = RemoteGit(tmp_path / "cache")
    assert [name for name, commit in found.items() if after.has(at(git_server, name), commit)] == ["two", "three"]


def test_a_repository_that_is_too_large_is_refused(git_server: Server, origin: Checkout, tmp_path: Path) -> None:
    commit = origin.commit({"file": os.urandom(200_000)})
    made = RemoteGit(tmp_path / "cache", seconds=20, bounds=Bounds(repository=100_000))
    with pytest.raises(FetchError, match=r"more than 0\.1 MB"):
        made.fetch(at(git_server), commit)
    assert not made.has(at(git_server), commit)
    assert kept_bytes(tmp_path / "cache") < 50_000
