"""Sources from elsewhere, end to end: real charts over HTTP, a real registry, real Git, and what goes wrong."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_bot.doors import http
from gitops_bot.doors.credentials import Credential, Credentials
from gitops_bot.doors.remote_git import References
from gitops_bot.errors import FetchError
from gitops_bot.model import url as urls
from gitops_bot.model.fetched import Fetched
from gitops_bot.model.tree import Tree
from gitops_bot.render.fetching.fetch import RemoteSources, Request, resolve
from gitops_bot.render.fetching.policy import Policy
from gitops_bot.render.prepared import Fetcher
from tests.conftest import Checkout
from tests.servers import (
    Certificate,
    Server,
    asks_login,
    cut_short,
    directory,
    git_http,
    gives,
    in_turn,
    package,
    redirects,
    run_helm,
    sha256,
)

QUICK = http.Limits(connect=2.0, idle=2.0, total=20.0, pause=0.01)
Sources = Callable[..., RemoteSources]


@pytest.fixture
def sources(tmp_path: Path, request: pytest.FixtureRequest) -> Sources:
    """Makes the sources of one run: ``sources("http://…", offline=True)``; all runs share one cache."""

    def make(*allow: str, offline: bool = False, credentials: Credentials | None = None, **client: object):
        bound = credentials or Credentials()
        made = RemoteSources(
            tmp_path / "cache", Policy.from_settings(allow), offline=offline, credentials=bound,
            client=http.Client(bound, limits=QUICK, **client),
        )  # fmt: skip
        request.addfinalizer(made.close)
        return made

    return make


def marker(tree: Tree) -> str:
    return tree.read("values.yaml").decode().split()[1]


def refusal(sources: RemoteSources, *chart: str) -> FetchError:
    with pytest.raises(FetchError) as caught:
        sources.chart(*chart)
    return caught.value


# -- Helm repositories --------------------------------------------------------------------------------------------


def test_it_is_a_fetcher(sources: Sources) -> None:
    fetcher: Fetcher = sources()
    assert fetcher is not None


@pytest.mark.parametrize(("wanted", "found"), [("1.0.0", "1.0.0"), ("v1.0.0", "1.0.0"), ("", "1.10.2"), ("*", "1.10.2"),
                         ("^1.0", "1.10.2"), ("~1.1", "1.1.0"), ("<1", "0.9.0+build.7"), (">1.99.0-0", "2.0.0-rc.1"),
                         ("1.0.0 - 1.5.0", "1.1.0"), ("0.9.0+build.7", "0.9.0+build.7")])  # fmt: skip
def test_a_chart_comes_in_the_version_that_is_meant(
    chart_repository: Server, sources: Sources, wanted: str, found: str
) -> None:
    made = sources(f"{chart_repository.url}/charts")
    tree = made.chart(f"{chart_repository.url}/charts/", "app", wanted)
    assert marker(tree) == found
    assert "Chart.yaml" in tree and "templates/configmap.yaml" in tree
    assert [(one.version, one.wanted, one.source) for one in made.fetched] == [(found, wanted, "network")]


def test_a_whole_version_is_not_asked_for_again_but_a_range_is(chart_repository: Server, sources: Sources) -> None:
    url = f"{chart_repository.url}/charts"
    first = sources(url).chart(url, "app", "1.0.0")
    sources(url).chart(url, "app", "^1.0")
    asked = len(chart_repository.seen)
    again = sources(url)
    assert again.chart(url, "app", "1.0.0").oid == first.oid
    assert again.fetched[0].source == "cache"
    assert len(chart_repository.seen) == asked
    again.chart(url, "app", "^1.0")
    assert chart_repository.paths()[asked:] == ["/charts/index.yaml"]


def test_a_range_is_resolved_once_in_a_run(
    chart_repository: Server, sources: Sources, packed_charts: Path, tmp_path: Path, helm: str
) -> None:
    url = f"{chart_repository.url}/charts"
    made = sources(url)
    assert marker(made.chart(url, "app", "^1.0")) == "1.10.2"
    newer = tmp_path / "newer"
    newer.mkdir()
    archive = package(helm, newer, "app", "1.11.0")
    run_helm(helm, "repo", "index", str(archive.parent), cwd=newer)
    chart_repository.routes["/charts/"] = directory(archive.parent, "/charts")
    assert marker(made.chart(url, "app", "^1.0")) == "1.10.2"
    assert marker(made.chart(url + "/", "app", "^1.0")) == "1.10.2"
    assert marker(sources(url).chart(url, "app", "^1.0")) == "1.11.0"


def test_a_missing_chart_version_or_repository_is_told(chart_repository: Server, sources: Sources) -> None:
    url = f"{chart_repository.url}/charts"
    made = sources(chart_repository.url)
    assert "no such chart" in refusal(made, url, "nothing", "1.0.0").message
    assert "no version matches '9.9.9'" in refusal(made, url, "app", "9.9.9").message
    assert "neither a version it has nor a version range" in refusal(made, url, "app", "HEAD").message
    assert "HTTP 404" in refusal(made, f"{chart_repository.url}/nowhere", "app", "1.0.0").message
    for name in ("..", ".", "a/../b", "-x", "a b", "https://x"):
        assert "not the name of a chart" in refusal(made, url, name, "1.0.0").message
    for repository in ("@stable", "alias:stable"):
        assert "somebody's own Helm configuration" in refusal(made, repository, "app", "1.0.0").message


def test_what_the_base_does_not_allow_is_never_asked(chart_repository: Server, sources: Sources) -> None:
    error = refusal(sources("https://charts.example.org"), f"{chart_repository.url}/charts", "app", "1.0.0")
    assert "fetch.allow" in error.hint
    assert chart_repository.seen == []


def test_a_cached_chart_is_refused_when_the_policy_no_longer_allows_it(
    chart_repository: Server, sources: Sources
) -> None:
    url = f"{chart_repository.url}/charts"
    sources(url).chart(url, "app", "1.0.0")
    for offline in (False, True):
        assert "not allowed" in refusal(sources(offline=offline), url, "app", "1.0.0").message


INDEX = "apiVersion: v1\nentries:\n  app:\n  - version: 1.0.0\n    urls: ['{url}']\n{digest}"


def index(url: str, archive: bytes | None = None) -> bytes:
    digest = f"    digest: {sha256(archive)}\n" if archive is not None else ""
    return INDEX.format(url=url, digest=digest).encode()


@pytest.fixture
def archive(packed_charts: Path) -> bytes:
    return (packed_charts / "app-1.0.0.tgz").read_bytes()


def test_an_archive_must_have_the_digest_of_the_index(server: Server, sources: Sources, archive: bytes) -> None:
    server.routes["/charts/index.yaml"] = gives(index("app.tgz", b"something else"))
    server.routes["/charts/app.tgz"] = gives(archive)
    error = refusal(sources(server.url), f"{server.url}/charts", "app", "1.0.0")
    assert "does not have the digest" in error.message
    assert "--offline" in refusal(sources(server.url, offline=True), f"{server.url}/charts", "app", "1.0.0").message


def test_a_network_that_stumbles_is_given_another_chance(server: Server, sources: Sources, archive: bytes) -> None:
    text = index("app.tgz", archive)
    server.routes["/charts/index.yaml"] = in_turn(gives(b"", 500), cut_short(text, 20), gives(text))
    server.routes["/charts/app.tgz"] = in_turn(cut_short(archive, 100), gives(archive))
    assert marker(sources(server.url).chart(f"{server.url}/charts", "app", "1.0.0")) == "1.0.0"


def test_an_archive_elsewhere_needs_a_pinned_digest_https_and_a_public_address(
    server: Server, tls_server: Server, tls_name: str, certificate: Certificate, sources: Sources, archive: bytes
) -> None:
    """As charts are published on release pages: the index here, the archive behind redirects on another host."""
    elsewhere = f"https://{tls_name}:{tls_server.port}"
    tls_server.routes["/release"] = redirects(f"{elsewhere}/objects/app.tgz?signature=1")
    tls_server.routes["/objects/app.tgz"] = gives(archive)
    server.routes["/charts/index.yaml"] = gives(index(f"{elsewhere}/release", archive))
    environment = {"REQUESTS_CA_BUNDLE": str(certificate.certificate)}
    bound = Credentials((Credential(urls.parse(server.url), "Bearer s3cret"),
                         Credential(urls.parse(elsewhere), "Bearer s3cret")))  # fmt: skip
    made = sources(server.url, credentials=bound, environment=environment, resolve=lambda _: ["1.1.1.1"])
    assert marker(made.chart(f"{server.url}/charts", "app", "1.0.0")) == "1.0.0"
    assert server.seen[0].headers["authorization"] == "Bearer s3cret"
    assert [("authorization" in seen.headers, seen.path) for seen in tls_server.seen] == [
        (False, "/release"), (False, "/objects/app.tgz?signature=1"),
    ]  # fmt: skip


def test_an_archive_elsewhere_without_digest_or_at_a_private_address_is_refused(
    server: Server, other_server: Server, tls_server: Server, tls_name: str, sources: Sources, archive: bytes
) -> None:
    places = {
        f"{other_server.url}/app.tgz": index(f"{other_server.url}/app.tgz", archive),
        f"https://{tls_name}:{tls_server.port}/a": index(f"https://{tls_name}:{tls_server.port}/a"),
        "https://169.254.169.254/a": index("https://169.254.169.254/a", archive),
        "file:///etc/passwd": index("file:///etc/passwd", archive),
        "../../secret": index("../../secret"),
    }
    for number, text in enumerate(places.values()):
        server.routes[f"/charts{number}/index.yaml"] = gives(text)
        error = refusal(sources(f"{server.url}/charts{number}"), f"{server.url}/charts{number}", "app", "1.0.0")
        assert "not allow" in error.message
    private = sources(server.url, resolve=lambda _: ["10.0.0.1"])
    server.routes["/charts/index.yaml"] = gives(index(f"https://{tls_name}:{tls_server.port}/a", archive))
    assert "private address" in refusal(private, f"{server.url}/charts", "app", "1.0.0").message
    assert other_server.seen == tls_server.seen == []


def test_an_index_never_redirects_to_another_host(server: Server, other_server: Server, sources: Sources) -> None:
    server.routes["/charts/index.yaml"] = redirects(f"{other_server.url}/index.yaml")
    assert "not allowed" in refusal(sources(server.url), f"{server.url}/charts", "app", "1.0.0").message
    assert other_server.seen == []


def test_a_hostile_archive_is_refused_and_not_kept(server: Server, sources: Sources, tmp_path: Path) -> None:
    bad = tmp_path / "bad.tgz"
    subprocess.run(["tar", "czf", bad, "--transform=s,^,chart/../../,", "-C", "/etc", "hostname"], check=True,
                   capture_output=True)  # fmt: skip
    server.routes["/charts/index.yaml"] = gives(index("app.tgz", bad.read_bytes()))
    server.routes["/charts/app.tgz"] = gives(bad.read_bytes())
    for _ in range(2):
        assert "leads out" in refusal(sources(server.url), f"{server.url}/charts", "app", "1.0.0").message
    assert not (tmp_path / "cache" / "blobs").exists()


def test_a_credential_opens_a_closed_repository_and_is_never_kept(
    server: Server, packed_charts: Path, sources: Sources, tmp_path: Path
) -> None:
    server.routes["/charts/"] = asks_login(directory(packed_charts, "/charts"), "ada", "s3cret")
    url = f"{server.url}/charts"
    error = refusal(sources(url), url, "app", "1.0.0")
    assert "HTTP 401" in error.message and "credential" in error.hint
    bound = Credentials((Credential(urls.parse(url), "Basic YWRhOnMzY3JldA=="),))
    assert marker(sources(url, credentials=bound).chart(url, "app", "1.0.0")) == "1.0.0"
    assert not any(b"YWRh" in path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file())


# -- registries ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["oci://{}/team", "{}/team", "{}/team/", "OCI://{}/team"])
@pytest.mark.parametrize(("wanted", "found"), [("1.1.0", "1.1.0"), ("^1.0", "1.10.2"), ("", "1.10.2"),
                         ("0.9.0+build.7", "0.9.0+build.7"), ("<1.0.0", "0.9.0+build.7")])  # fmt: skip
def test_a_chart_of_a_registry(oci_registry: str, sources: Sources, form: str, wanted: str, found: str) -> None:
    made = sources(f"oci+http://{oci_registry}/team")
    assert marker(made.chart(form.format(oci_registry), "app", wanted)) == found
    assert made.fetched[0].version == found


def test_registry_and_repository_give_the_same_chart(
    oci_registry: str, chart_repository: Server, sources: Sources
) -> None:
    made = sources(f"oci+http://{oci_registry}", f"{chart_repository.url}/charts")
    from_registry = made.chart(f"oci://{oci_registry}/team", "app", "1.0.0")
    assert from_registry.oid == made.chart(f"{chart_repository.url}/charts", "app", "1.0.0").oid
    assert made.chart(f"oci://{oci_registry}/team/app", "", "1.0.0").oid == from_registry.oid
    assert made.chart(f"oci://{oci_registry}", "team/app", "~1.0").oid == from_registry.oid


def test_an_index_may_lead_to_a_registry_that_is_allowed_too(
    oci_registry: str, server: Server, sources: Sources
) -> None:
    server.routes["/charts/index.yaml"] = gives(index(f"oci://{oci_registry}/team/app:1.0.0"))
    made = sources(server.url, f"oci+http://{oci_registry}/team")
    assert marker(made.chart(f"{server.url}/charts", "app", "1.0.0")) == "1.0.0"
    assert "not allowed" in refusal(sources(server.url), f"{server.url}/charts", "app", "^1").message


def test_a_missing_tag_is_told(oci_registry: str, sources: Sources) -> None:
    made = sources(f"oci+http://{oci_registry}/team")
    assert "no such tag" in refusal(made, f"{oci_registry}/team", "app", "9.9.9").message
    assert "no version matches '>9'" in refusal(made, f"{oci_registry}/team", "app", ">9").message
    assert "neither a version" in refusal(made, f"{oci_registry}/team", "app", "HEAD").message
    assert "not allowed" in refusal(made, f"{oci_registry}/other", "app", "1.0.0").message


# -- Git ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def origin(git_server: Server, repository: Callable[..., Checkout]) -> Checkout:
    made = repository({"base/kustomization.yaml": "n: 1\n"}, name="served/origin")
    made.git("tag", "v1.0.0")
    made.commit({"base/kustomization.yaml": "n: 2\n"})
    made.git("tag", "-a", "v1.2.0", "-m", "annotated")
    made.git("switch", "--quiet", "-c", "feature/x")
    made.commit({"base/kustomization.yaml": "n: 3\n"})
    made.git("switch", "--quiet", "main")
    return made


def number(tree: Tree) -> str:
    return tree.read("base/kustomization.yaml").decode().split()[1]


def test_a_revision_means_what_argo_cd_makes_of_it(git_server: Server, origin: Checkout, sources: Sources) -> None:
    url = f"{git_server.url}/git/origin"
    made = sources(f"{git_server.url}/git")
    expected = {"": "2", "HEAD": "2", "main": "2", "feature/x": "3", "refs/heads/feature/x": "3", "v1.0.0": "1",
                "v1.2.0": "2", "refs/tags/v1.0.0": "1", "1.0.x": "1", "^1.0": "2", "*": "2",
                origin.git("rev-parse", "v1.0.0"): "1"}  # fmt: skip
    assert {wanted: number(made.git(url, wanted)) for wanted in expected} == expected
    assert sum("info/refs" in path for path in git_server.paths()) <= 1 + 3
    digests = {one.wanted: (one.version, one.digest) for one in made.fetched}
    assert digests["^1.0"] == ("v1.2.0", origin.git("rev-parse", "v1.2.0^{commit}"))


def test_references_are_listed_once_in_a_run(git_server: Server, origin: Checkout, sources: Sources) -> None:
    url = f"{git_server.url}/git/origin"
    made = sources(f"{git_server.url}/git")
    assert number(made.git(url, "main")) == "2"
    origin.commit({"base/kustomization.yaml": "n: 9\n"})
    assert number(made.git(url, "main")) == number(made.git(url, "HEAD")) == "2"
    assert number(sources(f"{git_server.url}/git").git(url, "main")) == "9"


def test_a_commit_in_the_cache_is_not_asked_for_again(git_server: Server, origin: Checkout, sources: Sources) -> None:
    url, commit = f"{git_server.url}/git/origin", origin.git("rev-parse", "HEAD")
    sources(git_server.url).git(url, commit)
    asked = len(git_server.seen)
    again = sources(git_server.url)
    assert number(again.git(url, commit)) == "2"
    assert (len(git_server.seen), again.fetched[0].source) == (asked, "cache")


def test_what_git_does_not_have_is_told(git_server: Server, origin: Checkout, sources: Sources) -> None:
    url = f"{git_server.url}/git/origin"
    made = sources(f"{git_server.url}/git")
    for wanted, hint in (("nowhere", "ls-remote"), (origin.git("rev-parse", "--short=8", "HEAD"), "whole commit id"),
                         (">9", "ls-remote"), ("--upload-pack=touch /tmp/x", "ls-remote")):  # fmt: skip
        with pytest.raises(FetchError, match=r"no branch or tag|no tag in the range '>9'") as caught:
            made.git(url, wanted)
        assert hint in caught.value.hint
    with pytest.raises(FetchError, match="not allowed"):
        sources("https://github.com/acme").git(url, "main")
    with pytest.raises(FetchError, match="carries a password"):
        made.git(f"http://ada:s3cret@127.0.0.1:{git_server.port}/git/origin", "main")


def test_a_reference_is_resolved_in_argo_cds_order() -> None:
    references = References(
        "c0", {"main": "c1", "v1.5.0": "c2", "x": "c3"}, {"v1.0.0": "c4", "v1.5.0": "c5", "main": "c6"}
    )
    assert resolve(references, "main", "it") == ("main", "c1", "refs/heads/main")
    assert resolve(references, "v1.5.0", "it") == ("v1.5.0", "c2", "refs/heads/v1.5.0")
    assert resolve(references, "refs/tags/v1.5.0", "it") == ("v1.5.0", "c5", "refs/tags/v1.5.0")
    assert resolve(references, "v1.x", "it") == ("v1.5.0", "c5", "refs/tags/v1.5.0")
    assert resolve(references, "x", "it") == ("v1.5.0", "c5", "refs/tags/v1.5.0")
    assert resolve(references._replace(tags={}), "x", "it") == ("x", "c3", "refs/heads/x")
    with pytest.raises(FetchError, match="no default branch"):
        resolve(References("", {}, {}), "", "it")


# -- files --------------------------------------------------------------------------------------------------------


def test_a_file_is_fetched_once_in_a_run(server: Server, sources: Sources) -> None:
    server.routes["/values.yaml"] = in_turn(gives(b"a: 1\n"), gives(b"a: 2\n"))
    made = sources(server.url)
    assert made.file(f"{server.url}/values.yaml") == made.file(f"{server.url}/values.yaml") == b"a: 1\n"
    offline = sources(server.url, offline=True)
    assert offline.file(f"{server.url}/values.yaml") == b"a: 1\n"
    assert sources(server.url).file(f"{server.url}/values.yaml") == b"a: 2\n"
    with pytest.raises(FetchError, match="HTTP 404"):
        made.file(f"{server.url}/nothing")
    with pytest.raises(FetchError, match="not in the cache, and --offline is set"):
        offline.file(f"{server.url}/nothing")


# -- the cache ----------------------------------------------------------------------------------------------------


def test_offline_uses_what_the_cache_holds_and_says_what_may_have_moved(
    chart_repository: Server, git_server: Server, origin: Checkout, sources: Sources, packed_charts: Path
) -> None:
    charts, git = f"{chart_repository.url}/charts", f"{git_server.url}/git/origin"
    online = sources(chart_repository.url)
    commit = origin.git("rev-parse", "HEAD")
    for version in ("1.0.0", "^1.0"):
        online.chart(charts, "app", version)
    for revision in ("main", commit):
        online.git(git, revision)
    asked = len(chart_repository.seen)
    offline = sources(chart_repository.url, offline=True)
    assert [marker(offline.chart(charts, "app", version)) for version in ("1.0.0", "^1.0")] == ["1.0.0", "1.10.2"]
    assert [number(offline.git(git, revision)) for revision in ("main", commit)] == ["2", "2"]
    assert len(chart_repository.seen) == asked
    assert offline.warnings == (
        f"{charts}/app ^1.0 was not asked for (--offline): it stands for 1.10.2, as when it was last fetched",
        f"{git} main was not asked for (--offline): it stands for main, as when it was last fetched",
    )
    assert online.warnings == ()
    for call in (lambda: offline.chart(charts, "app", "1.1.0"), lambda: offline.git(git, "feature/x"),
                 lambda: offline.git(git, "1" * 40), lambda: offline.chart(charts, "other", "*")):  # fmt: skip
        with pytest.raises(FetchError, match="not in the cache, and --offline is set") as caught:
            call()
        assert "gitops-bot fetch" in caught.value.hint


def test_a_damaged_cache_is_noticed_and_mended(chart_repository: Server, sources: Sources, tmp_path: Path) -> None:
    url = f"{chart_repository.url}/charts"
    sources(url).chart(url, "app", "1.0.0")
    (blob,) = (path for path in (tmp_path / "cache" / "blobs").rglob("*") if path.is_file())
    (note,) = (tmp_path / "cache" / "notes").iterdir()
    good = note.read_bytes()
    assert b'"version":"1.0.0"' in good
    for damage in (lambda: blob.write_bytes(b"other"), lambda: blob.write_bytes(b""), lambda: note.write_bytes(b"{"),
                   lambda: note.write_bytes(good.replace(b'"version":"1.0.0"', b'"version":"6.6.6"'))):  # fmt: skip
        damage()
        mended = sources(url)
        assert marker(mended.chart(url, "app", "1.0.0")) == "1.0.0"
        assert mended.fetched[0].version == "1.0.0"
        damage()
        assert "not in the cache" in refusal(sources(url, offline=True), url, "app", "1.0.0").message
        sources(url).chart(url, "app", "1.0.0")
    assert note.read_bytes() == good


def test_a_cache_that_cannot_be_written_only_costs_time(chart_repository: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    url = f"{chart_repository.url}/charts"
    with RemoteSources(tmp_path / "file" / "cache", Policy.from_settings([url]), environment={}) as made:
        assert marker(made.chart(url, "app", "1.0.0")) == "1.0.0"


def test_many_threads_ask_once(chart_repository: Server, sources: Sources) -> None:
    url = f"{chart_repository.url}/charts"
    made = sources(url)
    barrier = threading.Barrier(8)
    found: list[str] = []

    def work() -> None:
        barrier.wait()
        found.append(made.chart(url, "app", "^1.0").oid)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(found), len(set(found))) == (8, 1)
    assert chart_repository.paths() == ["/charts/index.yaml", "/charts/app-1.10.2.tgz"]


PROGRAM = """
import sys
from pathlib import Path
from gitops_bot.render.fetching.fetch import RemoteSources
from gitops_bot.render.fetching.policy import Policy
cache, charts, git = sys.argv[1:]
with RemoteSources(Path(cache), Policy.from_settings([charts, git]), environment={}) as made:
    print(made.chart(charts, "app", "1.0.0").oid, made.git(git, "main").oid)
"""


def test_many_processes_share_one_cache(
    chart_repository: Server, git_server: Server, origin: Checkout, tmp_path: Path
) -> None:
    argv = [sys.executable, "-c", PROGRAM, str(tmp_path / "cache"), f"{chart_repository.url}/charts",
            f"{git_server.url}/git/origin"]  # fmt: skip
    running = [subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    answers = [process.communicate(timeout=60) for process in running]
    assert {error for _, error in answers} == {""}
    assert len({out for out, _ in answers}) == 1
    assert list((tmp_path / "cache").rglob(".part-*")) == []


def test_many_sources_are_fetched_at_once_and_failures_are_told(
    chart_repository: Server, git_server: Server, origin: Checkout, sources: Sources
) -> None:
    charts = f"{chart_repository.url}/charts"
    made = sources(chart_repository.url)
    good = [Request("chart", charts, "app", "1.0.0"), Request("chart", charts, "other", "*"),
            Request("git", f"{git_server.url}/git/origin", "", "main"),
            Request("file", f"{charts}/index.yaml")]  # fmt: skip
    bad = [Request("chart", charts, "nothing", "1.0.0"), Request("git", f"{git_server.url}/git/origin", "", "nowhere")]
    failures = made.prefetch([*good, *bad, *good])
    assert list(failures) == bad
    assert len(made.fetched) == len(good)
    asked = len(chart_repository.seen)
    made.chart(charts, "other", "*")
    assert str(refusal(made, charts, "nothing", "1.0.0")) == str(failures[bad[0]])
    assert len(chart_repository.seen) == asked


def test_what_was_fetched_is_listed_in_order_without_credentials(
    chart_repository: Server, sources: Sources, packed_charts: Path
) -> None:
    url = f"{chart_repository.url}/charts"
    made = sources(url)
    made.chart(url, "other", "3.x")
    made.chart(url, "app", "1.0.0")
    digest = "sha256:" + sha256((packed_charts / "app-1.0.0.tgz").read_bytes())
    assert made.fetched[0] == Fetched("chart", url, "app", "1.0.0", "1.0.0", digest, "network")
    assert [one.name for one in made.fetched] == ["app", "other"]


def test_a_fetched_chart_renders_with_helm(
    chart_repository: Server, sources: Sources, helm: str, tmp_path: Path
) -> None:
    url = f"{chart_repository.url}/charts"
    tree = sources(url).chart(url, "app", "1.1.0")
    place = tmp_path / "chart"
    for path, entry in tree.entries.items():
        if entry.is_file:
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_bytes(tree.read(path))
    assert "it: 1.1.0" in run_helm(helm, "template", "x", str(place), cwd=tmp_path)


def test_the_three_kinds_of_git_server_answers_do_not_mix(
    git_server: Server, origin: Checkout, sources: Sources, tmp_path: Path
) -> None:
    """One URL is one repository in the cache, however it is spelled; another host's is another."""
    url = f"{git_server.url}/git/origin"
    git_server.routes["/mirror/"] = git_http(tmp_path / "served", "/mirror")
    made = sources(git_server.url)
    assert made.git(url, "main").oid == made.git(f"{git_server.url}/mirror/origin", "main").oid
    made.git(f"{url}/", "main")
    assert len([path for path in (tmp_path / "cache" / "git").iterdir() if path.is_dir()]) == 2
