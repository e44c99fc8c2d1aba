"""What revisions mean: one question for each repository and interval, and what counts while a host does not answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gitops_bot.agent.sources.keys import Host, Keys
from gitops_bot.agent.sources.revisions import Followed, Meaning, Revisions
from gitops_bot.doors.credentials import Credentials
from gitops_bot.doors.lineage import Lineage
from gitops_bot.errors import FetchError
from gitops_bot.model import url as urls
from tests.agent.sources.test_logins import secret
from tests.conftest import Checkout
from tests.servers import Server, asks_login, git_http, gives


class Clock:
    """Moves when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime(2026, 8, 1, 12, tzinfo=UTC) + timedelta(seconds=self.seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys() -> Keys:
    return Keys(lambda *_: pytest.fail("there is no App"), lambda: 0.0)


@pytest.fixture
def revisions(clock: Clock, keys: Keys, tmp_path: Path) -> Revisions:
    return Revisions(Host(keys, tmp_path / "cache"), clock.monotonic, clock.now)


@pytest.fixture
def origin(git_server: Server, repository: Callable[..., Checkout]) -> Checkout:
    return repository({"a": "1"}, name="served/origin")


@pytest.fixture
def url(git_server: Server) -> str:
    return f"{git_server.url}/git/origin"


def listings(server: Server) -> int:
    return sum("info/refs" in path for path in server.paths())


def test_every_kind_of_revision_means_its_commit(revisions: Revisions, origin: Checkout, url: str) -> None:
    found = {"HEAD": origin.git("rev-parse", "HEAD")}
    for tag in ("v1.0.0", "v1.9.0", "v1.10.0", "v2.0.0-rc.1", "nightly"):
        commit = origin.commit({"a": tag})
        origin.git("tag", *(("-a", tag, "-m", tag) if tag == "v1.10.0" else (tag,)))
        found[tag] = commit
    origin.git("branch", "release/1", found["v1.9.0"])
    head = origin.commit({"a": "last"})
    for wanted, meant, reference in (
        ("main", head, "refs/heads/main"), ("", head, "HEAD"), ("HEAD", head, "HEAD"),
        ("release/1", found["v1.9.0"], "refs/heads/release/1"),
        ("v1.0.0", found["v1.0.0"], "refs/tags/v1.0.0"), ("v1.10.0", found["v1.10.0"], "refs/tags/v1.10.0"),
        ("v1.*", found["v1.10.0"], "refs/tags/v1.10.0"), ("v*.*.*", found["v1.10.0"], "refs/tags/v1.10.0"),
        ("nightly", found["nightly"], "refs/tags/nightly"), (found["v1.0.0"], found["v1.0.0"], ""),
    ):  # fmt: skip
        assert revisions.resolve(url, wanted, since=0) == Meaning(meant, reference), wanted


def test_a_repository_is_asked_once_an_interval_however_many_follow_it(
    revisions: Revisions, origin: Checkout, url: str, git_server: Server, clock: Clock
) -> None:
    followed = [Followed(url, f"project-{number % 5}") for number in range(200)]
    threads = [
        threading.Thread(target=revisions.resolve, args=(url, "main"), kwargs={"since": 1000.0, "project": each.project})
        for each in followed[:20]
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    assert set(revisions.refresh(followed, since=1000.0)) == set(followed)
    for thread in threads:
        thread.join()
    assert listings(git_server) == 1
    clock.seconds += 180
    assert list(revisions.refresh(followed, since=clock.seconds)) == []
    assert listings(git_server) == 2
    origin.commit({"a": "2"})
    clock.seconds += 180
    assert set(revisions.refresh(followed, since=clock.seconds)) == set(followed)
    assert listings(git_server) == 3


def test_a_branch_or_tag_that_is_deleted_refuses(
    revisions: Revisions, origin: Checkout, url: str, clock: Clock
) -> None:
    origin.git("branch", "feature")
    origin.git("tag", "v1.0.0")
    revisions.resolve(url, "feature", since=0)
    origin.git("branch", "-D", "feature")
    origin.git("tag", "-d", "v1.0.0")
    clock.seconds += 10
    for wanted, told in (
        ("feature", "no branch or tag 'feature'"), ("v1.0.0", "no branch or tag 'v1.0.0'"),
        ("v1.*", r"no tag in the range 'v1\.\*', and no branch of that name"),
    ):  # fmt: skip
        with pytest.raises(FetchError, match=told):
            revisions.resolve(url, wanted, since=clock.seconds, last="1" * 40)


def test_a_host_that_is_gone_keeps_what_was_known_and_is_told_after_a_grace(
    revisions: Revisions, origin: Checkout, url: str, git_server: Server, clock: Clock, tmp_path: Path
) -> None:
    commit, follower = origin.git("rev-parse", "HEAD"), Followed(url)

    def asked() -> Meaning:
        return revisions.resolve(url, "main", since=clock.seconds)

    list(revisions.refresh([follower], since=clock.seconds))
    git_server.routes["/git/"] = gives(b"", 503)
    clock.seconds += 100
    assert asked() == Meaning(commit, "refs/heads/main")
    began = clock.now()
    clock.seconds += 180
    assert asked().stale == ""
    list(revisions.refresh([follower], since=0))
    clock.seconds += 10
    found = asked()
    assert found.commit == commit
    assert f"cannot be asked since {began:%Y-%m-%dT%H:%M:%SZ}" in found.stale
    assert "503" in found.stale
    assert commit[:8] in found.stale
    assert list(revisions.refresh([follower], since=0)) == [follower], "that it is told now is news"
    clock.seconds += 5000
    assert asked().stale == found.stale, "nothing is written again while nothing is new"
    git_server.routes["/git/"] = git_http(tmp_path / "served")
    clock.seconds += 10
    assert asked() == Meaning(commit, "refs/heads/main")
    assert list(revisions.refresh([follower], since=0)) == [follower]


def test_after_a_restart_what_was_synced_last_counts(
    revisions: Revisions, url: str, git_server: Server, clock: Clock
) -> None:
    git_server.routes["/git/"] = gives(b"", 502)
    with pytest.raises(FetchError, match="502"):
        revisions.resolve(url, "main", since=0)
    assert revisions.resolve(url, "main", since=0, last="2" * 40) == Meaning("2" * 40)
    clock.seconds += 181
    assert "cannot be asked since" in revisions.resolve(url, "main", since=0, last="2" * 40).stale


def test_a_host_that_hangs_keeps_others_neither_waiting_nor_unasked(
    revisions: Revisions, origin: Checkout, url: str, git_server: Server, clock: Clock
) -> None:
    released = threading.Event()
    commit = origin.git("rev-parse", "HEAD")
    git_server.routes["/hangs/"] = lambda handler: (released.wait(60), handler.reply(503))[1]
    hanging, told = Followed(f"{git_server.url}/hangs/x"), threading.Event()
    seen: list[Followed] = []

    def refresh() -> None:
        for each in revisions.refresh([hanging, Followed(url)], since=clock.seconds):
            seen.append(each)
            told.set()

    thread = threading.Thread(target=refresh)
    thread.start()
    assert told.wait(30)
    assert seen == [Followed(url)]
    assert revisions.resolve(url, "main", since=0).commit == commit
    released.set()
    thread.join(30)
    assert seen == [Followed(url), hanging]


def test_a_login_that_has_changed_lets_failures_be_asked_again(
    revisions: Revisions, keys: Keys, origin: Checkout, url: str, git_server: Server, tmp_path: Path
) -> None:
    git_server.routes["/git/"] = asks_login(git_http(tmp_path / "served"), "ada", "s3cret")
    with pytest.raises(FetchError, match="no access"):
        revisions.resolve(url, "main", since=0)
    keys.put(secret(url=url, username="ada", password="s3cret"))
    assert revisions.forget_failures() == (url,)
    assert revisions.resolve(url, "main", since=0).commit == origin.git("rev-parse", "HEAD")
    assert revisions.forget_failures() == ()


def test_what_a_projects_login_has_heard_is_not_told_to_others(
    revisions: Revisions, keys: Keys, origin: Checkout, url: str, git_server: Server, tmp_path: Path
) -> None:
    git_server.routes["/git/"] = asks_login(git_http(tmp_path / "served"), "ada", "s3cret")
    keys.put(secret(url=url, username="ada", password="s3cret", project="team"))
    assert revisions.resolve(url, "main", since=0, project="team").commit == origin.git("rev-parse", "HEAD")
    with pytest.raises(FetchError, match="no access"):
        revisions.resolve(url, "main", since=0, project="other")


def test_what_is_no_url_is_an_error_of_who_follows_it(revisions: Revisions) -> None:
    with pytest.raises(FetchError, match="carries a password") as caught:
        revisions.resolve("https://ada:s3cret@git.example.org/x", "main", since=0)
    assert "s3cret" not in caught.value.told
    assert "spec.source.repoURL" in caught.value.hint
    assert list(revisions.refresh([Followed("file:///etc")], since=0)) == []


# -- where commits come from ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("filters", [True, False])
def test_whether_one_commit_follows_another(
    origin: Checkout, url: str, tmp_path: Path, git_server: Server, *, filters: bool
) -> None:
    origin.git("config", "uploadpack.allowFilter", str(filters).lower())
    lineage = Lineage(tmp_path / "cache", Credentials())
    place = urls.parse(url)
    first = origin.git("rev-parse", "HEAD")
    commits = [origin.commit({"a": f"{number}"}) for number in range(40)]
    assert lineage.follows(place, commits[-3], commits[-1]) is True
    assert lineage.follows(place, first, commits[-1]) is True
    origin.git("reset", "--hard", "--quiet", commits[-5])
    rewritten = origin.commit({"a": "another"})
    assert lineage.follows(place, commits[-1], rewritten) is False
    assert lineage.follows(place, commits[-5], rewritten) is True
    assert lineage.follows(place, "1" * 40, rewritten) is False
    kept = sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert kept < 200_000
    git_server.routes["/git/"] = gives(b"", 503)
    assert lineage.follows(place, commits[-1], "2" * 40) is None
