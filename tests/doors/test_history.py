"""Completing a checkout against a real server: what is fetched, and what stays as it was."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gitops_bot.doors.git import Repository
from gitops_bot.doors.history import Bounds, Origin, bring, checked_out, resolve
from gitops_bot.errors import CommitGone, GitError, UsageError
from tests.conftest import Checkout


class Upstream:
    """A served repository with a base branch that moved on and a head branch: ``base`` and ``head`` are their tips."""

    def __init__(self, origin: Path, folder: Path, url: str) -> None:
        for name in ("checkout", "served"):
            shutil.copytree(origin / name, folder / name, dirs_exist_ok=True)
        self.checkout, self.bare, self.url = Checkout(folder / "checkout"), folder / "served" / "shop", url
        self.base, self.head = self.checkout.git("rev-parse", "main", "feature").split()


@pytest.fixture(scope="module")
def origin(tmp_path_factory) -> Path:
    """Made once: sixty commits on each side, as deep as no first step of deepening reaches."""
    folder = tmp_path_factory.mktemp("origin")
    (folder / "checkout").mkdir()
    checkout = Checkout(folder / "checkout")
    checkout.git("init", "--quiet", "--initial-branch=main")
    files = {f"apps/{name}.yaml": f"name: {name}\n" for name in "abcdef"}
    checkout.commit({**files, "app.yaml": "replicas: -1\n", "other.yaml": "x: -1\n"})
    checkout.git("checkout", "-q", "-b", "feature")
    for number in range(60):
        checkout.commit({"app.yaml": f"replicas: {number}\n"})
    head = checkout.commit({"new.yaml": "new: 1\n"})
    checkout.git("checkout", "-q", "main")
    for number in range(60):
        checkout.commit({"other.yaml": f"x: {number}\n"})
    base = checkout.git("rev-parse", "HEAD")
    bare = folder / "served" / "shop"
    subprocess.run(["git", "clone", "-q", "--bare", checkout.path, bare], check=True)
    for key in ("uploadpack.allowAnySHA1InWant", "uploadpack.allowFilter"):
        subprocess.run(["git", "-C", bare, "config", key, "true"], check=True)
    merged = checkout.git("merge-tree", "--write-tree", base, head)
    merge = checkout.git("commit-tree", "-p", base, "-p", head, "-m", "merge", merged)
    checkout.git("push", "-q", str(bare), f"{merge}:refs/pull/1/merge", f"{head}:refs/pull/1/head")
    return folder


@pytest.fixture
def upstream(origin, git_server, tmp_path) -> Upstream:
    return Upstream(origin, tmp_path, f"{git_server.url}/git/shop")


def shallow_checkout(upstream: Upstream, tmp_path: Path, ref: str = "refs/pull/1/merge") -> Path:
    """What the checkout step of a workflow makes: one commit, detached."""
    workspace = tmp_path / "workspace"
    subprocess.run(["git", "init", "-q", workspace], check=True)
    for argv in (["fetch", "-q", "--depth=1", upstream.url, ref], ["checkout", "-q", "FETCH_HEAD"]):
        subprocess.run(["git", "-C", workspace, *argv], check=True)
    return workspace


def content_of(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def compared(directory: str, upstream: Upstream) -> tuple[str, bytes, bytes]:
    with Repository(directory) as git:
        found = git.compare(upstream.base, upstream.head)
        return found.how, found.head.read("new.yaml"), found.head.read("other.yaml")


def test_a_shallow_checkout_is_completed_without_touching_it(upstream, tmp_path):
    workspace = shallow_checkout(upstream, tmp_path)
    before = content_of(workspace)
    made = bring(
        str(workspace), [upstream.base, upstream.head], origin=Origin(upstream.url), scratch=tmp_path / "scratch"
    )
    assert content_of(workspace) == before
    assert compared(made, upstream) == ("merge", b"new: 1\n", b"x: 59\n")
    with Repository(made) as git:
        assert git.tree(git.compare(upstream.base, upstream.head).base_commit).read("apps/a.yaml") == b"name: a\n"


def test_without_any_checkout_everything_is_fetched(upstream, tmp_path):
    made = bring(
        str(tmp_path / "nothing"), [upstream.base, upstream.head], origin=Origin(upstream.url), scratch=tmp_path
    )
    assert compared(made, upstream) == ("merge", b"new: 1\n", b"x: 59\n")


def test_history_is_fetched_without_the_files_of_its_commits(upstream, tmp_path):
    made = bring(
        str(tmp_path / "nothing"), [upstream.base, upstream.head], origin=Origin(upstream.url), scratch=tmp_path
    )
    listed = subprocess.run(
        ["git", "-C", made, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)"],
        env={**os.environ, "GIT_NO_LAZY_FETCH": "1"}, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert listed.count("commit") > 120  # both sides, down to the merge base
    assert listed.count("blob") <= 12  # the files of the compared commits, and none of the 120 others between


def test_a_full_checkout_needs_no_request(upstream, git_server, tmp_path):
    asked = len(git_server.seen)
    made = bring(
        str(upstream.checkout.path), [upstream.base, upstream.head], origin=Origin(upstream.url), scratch=tmp_path / "s"
    )
    assert len(git_server.seen) == asked
    assert compared(made, upstream)[0] == "merge"


def test_offline_works_with_a_full_checkout_and_says_what_lacks_in_a_shallow_one(upstream, git_server, tmp_path):
    wanted = [upstream.base, upstream.head]
    whole = bring(str(upstream.checkout.path), wanted, origin=Origin(""), scratch=tmp_path / "a", offline=True)
    assert compared(whole, upstream)[0] == "merge"
    workspace = shallow_checkout(upstream, tmp_path)
    asked = len(git_server.seen)
    with pytest.raises(GitError, match="not in this checkout") as refused:
        bring(str(workspace), wanted, origin=Origin(upstream.url), scratch=tmp_path / "b", offline=True)
    assert "fetch-depth: 0" in refused.value.hint
    assert len(git_server.seen) == asked


def test_a_checkout_without_files_is_completed(upstream, tmp_path):
    workspace = tmp_path / "partial"
    subprocess.run(
        ["git", "clone", "-q", "--filter=blob:none", "--no-checkout", upstream.url, workspace], check=True
    )  # fmt: skip
    made = bring(str(workspace), [upstream.base, upstream.head], origin=Origin(upstream.url), scratch=tmp_path / "s")
    assert compared(made, upstream) == ("merge", b"new: 1\n", b"x: 59\n")


def test_histories_without_a_common_ancestor_are_compared_as_they_are(upstream, tmp_path):
    upstream.checkout.git("checkout", "-q", "--orphan", "alone")
    alone = upstream.checkout.commit({"new.yaml": "new: 2\n"})
    upstream.checkout.git("push", "-q", str(upstream.bare), "alone")
    made = bring(str(tmp_path / "none"), [upstream.base, alone], origin=Origin(upstream.url), scratch=tmp_path)
    with Repository(made) as git:
        assert git.compare(upstream.base, alone).how == "direct"


def test_the_only_commit_of_a_push_is_enough(upstream, tmp_path):
    workspace = shallow_checkout(upstream, tmp_path, "refs/heads/main")
    made = bring(str(workspace), [upstream.base], origin=Origin(upstream.url), scratch=tmp_path / "s", offline=True)
    with Repository(made) as git:
        assert git.tree(upstream.base).read("other.yaml") == b"x: 59\n"


@pytest.mark.parametrize("wrong", ["", "main", "-x", "--upload-pack=touch x", "refs/heads/main", "abc", "0" * 39])
def test_only_full_ids_are_asked_for(wrong, tmp_path):
    with pytest.raises(GitError, match="is no commit id"):
        bring(str(tmp_path), [wrong], origin=Origin("http://127.0.0.1:9/x"), scratch=tmp_path)


def test_a_commit_that_is_gone_is_told(upstream, tmp_path):
    with pytest.raises(CommitGone, match="not there any more"):
        bring(str(tmp_path / "none"), ["1" * 40], origin=Origin(upstream.url), scratch=tmp_path)


def test_the_token_is_sent_and_stands_nowhere_else(upstream, git_server, tmp_path):
    token = "ghs_" + "canary" * 6
    expected = "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()
    serve = git_server.routes["/git/"]
    git_server.routes["/git/"] = lambda handler: (
        serve(handler)
        if handler.headers.get("Authorization") == expected
        else handler.reply(401, b"", {"WWW-Authenticate": "Basic"})
    )
    scratch = tmp_path / "scratch"
    wanted = [upstream.base, upstream.head]
    with pytest.raises(GitError, match="no access") as refused:
        bring(str(tmp_path / "none"), wanted, origin=Origin(upstream.url, "wrong-" + token), scratch=tmp_path / "x")
    assert token not in refused.value.told
    made = bring(str(tmp_path / "none"), wanted, origin=Origin(upstream.url, token), scratch=scratch)
    assert compared(made, upstream)[0] == "merge"
    assert token not in repr(Origin(upstream.url, token))
    secret = (token, expected, expected.split()[1])
    for path in scratch.rglob("*"):
        if path.is_file():
            assert not any(each.encode() in path.read_bytes() for each in secret), path


def test_a_checkout_of_another_user_is_read(upstream, tmp_path):
    if os.getuid() != 0:
        pytest.skip("needs root to give a directory away; CI runs it")
    workspace = shallow_checkout(upstream, tmp_path)
    for path in [workspace, *workspace.rglob("*")]:
        os.chown(path, 12345, 12345, follow_symlinks=False)
    made = bring(str(workspace), [upstream.base, upstream.head], origin=Origin(upstream.url), scratch=tmp_path / "s")
    assert "objects" in (Path(made) / "objects" / "info" / "alternates").read_text()
    assert compared(made, upstream)[0] == "merge"


def test_a_revision_is_looked_up_in_the_checkout_and_then_at_the_origin(upstream, git_server, tmp_path):
    workspace = shallow_checkout(upstream, tmp_path)
    upstream.checkout.git("tag", "-a", "-m", "one", "v1.0.0", upstream.base)
    upstream.checkout.git("push", "-q", str(upstream.bare), "v1.0.0")
    origin = Origin(upstream.url)
    known = {"main": upstream.base, "v1.0.0": upstream.base, "feature": upstream.head, upstream.head: upstream.head}
    for revision, commit in known.items():
        assert resolve(str(workspace), revision, origin=origin, scratch=tmp_path / "s") == commit, revision
    asked = len(git_server.seen)
    in_checkout = upstream.checkout.git("rev-parse", "HEAD")
    assert resolve(str(upstream.checkout.path), "HEAD", origin=origin, scratch=tmp_path / "s") == in_checkout
    assert len(git_server.seen) == asked
    for wrong in ("nowhere", "-x", "--upload-pack=touch x", ""):
        with pytest.raises(UsageError, match="unknown revision"):
            resolve(str(workspace), wrong, origin=origin, scratch=tmp_path / "s")
    with pytest.raises(UsageError, match="unknown revision"):
        resolve(str(workspace), "main", origin=origin, scratch=tmp_path / "s", offline=True)


def test_what_is_checked_out_is_known_without_asking_anybody(upstream, git_server, tmp_path):
    workspace = shallow_checkout(upstream, tmp_path)
    head = subprocess.run(["git", "-C", workspace, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    asked = len(git_server.seen)
    assert checked_out(str(workspace), tmp_path / "s") == head.stdout.strip()
    (tmp_path / "empty").mkdir()
    assert checked_out(str(tmp_path / "empty"), tmp_path / "s") == ""
    assert checked_out(str(tmp_path / "nothing"), tmp_path / "s") == ""
    assert len(git_server.seen) == asked


def test_more_files_than_are_fetched_in_a_run_are_refused(upstream, git_server, tmp_path):
    with pytest.raises(GitError, match="more than 3 files") as refused:
        bring(str(tmp_path / "no"), [upstream.base, upstream.head], origin=Origin(upstream.url), scratch=tmp_path,
              bounds=Bounds(files=3))  # fmt: skip
    assert "fetch-depth: 0" in refused.value.hint


def test_a_pack_that_never_ends_is_cut_off(upstream, tmp_path):
    upstream.checkout.git("checkout", "-q", "feature")
    (upstream.checkout.path / "large.yaml").write_bytes(os.urandom(3 << 20))
    large = upstream.checkout.commit({})
    upstream.checkout.git("push", "-q", str(upstream.bare), "feature")
    wanted = [upstream.base, large]
    with pytest.raises(GitError, match="more than 1 MiB"):
        bring(str(tmp_path / "a"), wanted, origin=Origin(upstream.url), scratch=tmp_path / "s",
              bounds=Bounds(size=1 << 20))  # fmt: skip
    kept = sum(path.stat().st_size for path in (tmp_path / "s").rglob("*") if path.is_file())
    assert kept < 3 << 20
    made = bring(str(tmp_path / "b"), wanted, origin=Origin(upstream.url), scratch=tmp_path / "t")
    assert compared(made, upstream)[1] == b"new: 1\n"


def test_the_bound_holds_for_all_fetches_together(upstream, tmp_path):
    with pytest.raises(GitError, match="more than 0 MiB"):
        bring(str(tmp_path / "a"), [upstream.base, upstream.head], origin=Origin(upstream.url), scratch=tmp_path,
              bounds=Bounds(size=0))  # fmt: skip
