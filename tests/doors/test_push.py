"""Reading tips and pushing to them: real git over HTTP and SSH, from a repository of our own."""

from __future__ import annotations

import math
import os
import random
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_bot.doors.deploy_key import with_deploy_key
from gitops_bot.doors.history import Bounds, Origin
from gitops_bot.doors.push import Author, Clone
from gitops_bot.doors.rejection import Rejected
from gitops_bot.errors import GitError, GitHubError, UsageError
from gitops_bot.model.writeback import FileChange
from tests.github import faults
from tests.writeback.landing.landings import Waits

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nQ0FOQVJZLWtleS1tYXRlcmlhbA==\n-----END OPENSSH PRIVATE KEY-----\n"
HOSTS = "git.example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGVeVDFIm0oyAHIcNQkKPFFXrDJtxcZOFNMtKRUpW4Uq\n"
PUSHED = "*/git-receive-pack"


@pytest.fixture
def shop(github):
    return github.repository("shop/apps", {"a.yaml": "a: 1\n", "dir/b.yaml": "b: 1\n"})


@pytest.fixture
def clone(github, shop, tmp_path):
    with clone_of(shop, tmp_path / "run", github.tokens.app.value) as made:
        yield made


def clone_of(shop, folder: Path, token: str, **named) -> Clone:
    folder.mkdir(parents=True, exist_ok=True)
    return Clone(Origin(shop.clone_url, token), folder, wait=named.pop("wait", Waits()), jitter=lambda: 0.5, **named)


def change(path: str, content: bytes | None, mode: str = "100644") -> FileChange:
    return FileChange(path=path, content=content, mode=mode)


# -- reading ----------------------------------------------------------------------------------------------------------


def test_a_head_is_the_tip_as_it_is_now_with_every_file(shop, clone):
    first = clone.head("main")
    assert (first.branch, first.commit, clone.tip("main")) == ("main", shop.head(), shop.head())
    assert first.tree.read("dir/b.yaml") == b"b: 1\n"
    shop.commit({"dir/b.yaml": "b: 2\n", "new": "x"})
    second = clone.head("main")
    assert (second.tree.read("dir/b.yaml"), second.tree.read("new")) == (b"b: 2\n", b"x")
    assert first.tree.read("dir/b.yaml") == b"b: 1\n", "what was read stays what it was"


def test_a_head_and_its_log_are_one_question(github, shop, clone):
    made = [shop.commit({f"{number}.yaml": "x"}, message=f"the {number}th") for number in range(12)]
    there = clone.head_and_log("main", 3)
    assert [one.path.rpartition("/")[2] for one in github.requests] == ["refs", "git-upload-pack", "git-upload-pack"]
    head, log = there
    assert (head.commit, head.tree.read("0.yaml")) == (made[-1], b"x")
    assert [one.message for one in log] == ["the 11th", "the 10th", "the 9th"]
    assert log == clone.log(made[-1], 3)


def test_a_head_without_a_checkout_is_one_question_and_so_is_the_next(github, shop, clone):
    """And the next brings what is new alone: the question for what is missing would be another one."""
    for number in range(2):
        asked = len(github.requests)
        shop.commit({"a.yaml": f"a: {number + 2}\n"})
        assert clone.head("main").tree.read("a.yaml") == f"a: {number + 2}\n".encode()
        assert sum(one.path.endswith("info/refs") for one in github.requests[asked:]) == 1


def test_what_was_read_of_a_commit_is_not_asked_for_again(shop, clone):
    """Nor are more than the newest kept."""
    first = clone.head("main")
    run, ran = clone._history.run, []
    clone._history.run = lambda argv, *given, **named: (ran.append(argv[0]), run(argv, *given, **named))[1]
    assert clone.tree(first.commit) is first.tree
    assert ran == []
    assert clone.head("main").tree is first.tree
    assert ran == ["fetch", "rev-parse"]
    for number in range(17):
        shop.commit({"a.yaml": f"a: {number}\n"})
        assert clone.head("main").tree.read("a.yaml") == f"a: {number}\n".encode()
    again = clone.tree(first.commit)
    assert (again is first.tree, again.read("dir/b.yaml")) == (False, b"b: 1\n")
    assert len(clone._trees) == 16


def test_a_head_that_is_larger_than_there_is_room_for_is_refused(shop, clone):
    shop.commit({"large": random.Random(0).randbytes(200_000).hex()})
    clone._history._bounds = Bounds(size=100_000)
    with pytest.raises(GitError, match="needs more than"):
        clone.head("main")


def test_branches_that_are_not_there(clone):
    assert clone.tip("nowhere") == ""
    assert clone.head_and_log("nowhere") is None
    with pytest.raises(GitError):
        clone.log("1" * 40)
    with pytest.raises(UsageError, match="no branch nowhere"):
        clone.head("nowhere")


def test_tags_mean_commits_annotated_or_not(shop, clone):
    assert clone.tags() == ()
    first = shop.head()
    shop.git.run("tag", "v1.0.0", first)
    shop.git.run("tag", "-a", "-m", "words", "v1.1.0", shop.commit({"x": "1"}))
    assert [(tag.name, tag.commit) for tag in clone.tags()] == [("v1.0.0", first), ("v1.1.0", shop.head())]


def test_tags_of_anything_else_than_a_commit_mean_none(shop, clone):
    git, first = shop.git, shop.head()
    blob = git.run("rev-parse", f"{first}:a.yaml")
    git.run("tag", "v0.9.0", blob)
    git.run("tag", "v0.9.1", f"{first}^{{tree}}")
    git.run("tag", "-a", "-m", "words", "v0.9.2", blob)
    git.run("tag", "-a", "-m", "words", "v1.0.0", first)
    git.run("tag", "-a", "-m", "of a tag", "v1.0.1", "v1.0.0")
    lost = git.run("hash-object", "-t", "tag", "-w", "--stdin", "--literally",
                   content=git.run("cat-file", "tag", "v1.0.0").replace(first, "5" * 40) + "\n")  # fmt: skip
    (shop.path / "refs/tags/v1.0.2").write_text(f"{lost}\n")
    found = {tag.name: tag.commit for tag in clone.tags()}
    assert found == {"v0.9.0": "", "v0.9.1": "", "v0.9.2": "", "v1.0.0": first, "v1.0.1": first, "v1.0.2": ""}
    assert clone.tree(found["v1.0.1"]).read("dir/b.yaml") == b"b: 1\n"
    second = shop.commit({"a.yaml": "a: 2\n"})
    git.run("tag", "v1.1.0", second)
    assert {tag.name: tag.commit for tag in clone.tags()} == {**found, "v1.1.0": second}
    assert clone.head("main").tree.read("a.yaml") == b"a: 2\n"


def test_what_tags_mean_is_asked_again_when_the_line_breaks(github, shop, clone):
    shop.git.run("tag", "v1.0.0")
    github.faults.add("POST", "*/git-upload-pack", faults.dropped(), nth=2, times=2)
    assert [tag.commit for tag in clone.tags()] == [shop.head()]
    shop.git.run("tag", "v1.0.1", shop.commit({"x": "1"}))
    github.faults.add("POST", "*/git-upload-pack", faults.server_error(), times=20)
    with pytest.raises(GitError):
        clone.tags()


def test_history_is_asked_again_when_the_line_breaks(github, shop, clone):
    first, tip = shop.head(), shop.commit({"a.yaml": "a: 2\n"})
    shop.commit({"a.yaml": "a: 3\n"})
    for ask in (
        lambda: [each.sha for each in clone.touching(tip, ["a.yaml"], 200)] == [tip, first],
        lambda: [tree.read("a.yaml") for tree in clone.trees([shop.head()])] == [b"a: 3\n"],
        lambda: clone.contains(shop.head(), first),
    ):
        github.faults.add("POST", "*/git-upload-pack", faults.server_error(), nth=1, times=1)
        assert ask()
        github.faults.clear()


def test_an_ancestor_is_found_however_far_below(shop, clone):
    """The clone begins one commit deep, as a run with a deploy key does."""
    first = shop.head()
    beside = shop.commit({"a.yaml": "side"}, "side", start="main")
    for number in range(60):
        shop.commit({"a.yaml": f"a: {number}\n"})
    tip = clone.head("main").commit
    assert clone.contains(tip, tip)
    assert clone.contains(tip, first)
    assert not clone.contains(tip, beside)
    assert not clone.contains(first, tip)
    assert not clone.contains(tip, "f" * 40)


def test_what_touched_some_files_comes_without_the_rest(shop, clone):
    shop.commit({"dir/b.yaml": "b: 2\n"}, message="b")
    last = shop.commit({"a.yaml": "a: 2\n", "dir/b.yaml": "b: 3\n"}, message="both")
    shop.commit({"a.yaml": "a: 3\n"}, message="a")
    tip = clone.head("main").commit
    found = clone.touching(tip, ["dir/b.yaml"], 200)
    assert [each.subject for each in found] == ["both", "b", shop.git.run("log", "-1", "--format=%s", f"{tip}~3")]
    assert [tree.read("dir/b.yaml") for tree in clone.trees([each.sha for each in found])] == [
        b"b: 3\n", b"b: 2\n", b"b: 1\n"
    ]  # fmt: skip
    assert found[-1].parents == ()
    assert clone.touching(tip, [], 200) == ()
    (only,) = clone.touching(last, ["dir/*.yaml", "dir"], 1)
    assert (only.sha, only.parents) == (last, ()), "history that is cut off ends there"


def test_what_led_to_a_commit(shop, clone):
    made = [shop.commit({"a.yaml": f"a: {number}\n"}, message=f"change {number}\n\nbody\n") for number in range(2, 9)]
    log = clone.log(shop.head(), 3)
    assert [one.oid for one in log] == made[::-1][:3]
    assert (log[0].message, log[0].parents) == ("change 8\n\nbody", (made[-2],))
    shop.commit({"later": "x"})
    assert clone.log(made[-1], 3) == log, "what came later does not matter"
    assert [one.oid for one in clone.log(made[0])] == [made[0], *shop.git.history(f"{made[0]}^")]


def test_what_was_merged_led_to_a_commit_as_well(shop, clone):
    side = shop.commit({"side": "x\n"}, "side", "side", start="main")
    main = shop.commit({"main": "x\n"}, message="main")
    merge = shop.git.write_commit(shop.git.merge(main, side), [main, side], "merge")
    shop.git.update("refs/heads/main", merge)
    assert [one.message for one in clone.log(merge, 2)] == ["merge", "main"]
    assert {one.message for one in clone.log(merge, 3, merged=True)} == {"merge", "main", "side"}


def test_what_merging_would_give(shop, clone):
    lines = "a: 1\nb: 1\nc: 1\nd: 1\ne: 1\nf: 1\n"
    start = shop.commit({"v.yaml": lines})
    for number in range(60):
        shop.commit({"far": f"{number}\n"})
    ours = {name: shop.commit({"v.yaml": text}, name, start="main") for name, text in {
        "near": lines.replace("b: 1", "b: 2"), "far": lines.replace("f: 1", "f: 2"), "same": lines.replace("a: 1", "a: 9"),
    }.items()}  # fmt: skip
    base = shop.commit({"v.yaml": lines.replace("a: 1", "a: 9")})
    clone.head("main")
    assert clone.merged(base, ours["near"]) is None
    both = FileChange(path="v.yaml", content=lines.replace("a: 1", "a: 9").replace("f: 1", "f: 2").encode())
    assert clone.merged(base, ours["far"]) == clone.changed(base, [both])
    assert clone.merged(base, ours["same"]) == clone.changed(base, [])
    assert clone.merged(base, start) == clone.changed(base, [])
    alone = shop.git.write_commit(shop.git.commit(base).tree, [], "no ancestor")
    shop.git.update("refs/heads/alone", alone)
    assert clone.merged(base, alone) is None


def test_what_a_checkout_has_is_not_fetched_again(github, shop, tmp_path):
    here = tmp_path / "checkout"
    shop.commit({f"large-{number}": os.urandom(200_000).hex() for number in range(5)})
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{shop.path}", here], check=True)
    with clone_of(shop, tmp_path / "run", github.tokens.app.value, checkout=str(here)) as clone:
        assert len(clone.head("main").tree.read("large-1")) == 400_000
    fetched = sum(
        path.stat().st_size for path in (tmp_path / "run" / "clone.git" / "objects").rglob("*") if path.is_file()
    )
    assert fetched < 20_000


def test_a_question_is_asked_again_while_the_connection_is_lost(github, shop, tmp_path):
    waits = Waits()
    github.faults.add("GET", "*/info/refs", faults.server_error(503), times=3)
    with clone_of(shop, tmp_path / "run", github.tokens.app.value, wait=waits) as clone:
        assert clone.tip("main") == shop.head()
    assert len(waits.all) == 3


def test_no_access_is_said_at_once_and_without_the_token(github, shop, tmp_path):
    waits = Waits()
    with (
        clone_of(shop, tmp_path / "run", "ghs_CanaryThatNobodyMaySee", wait=waits) as clone,
        pytest.raises(GitError, match="fetching main") as caught,
    ):
        clone.head("main")
    assert "contents: read" in caught.value.hint
    assert "Canary" not in caught.value.told
    assert waits.all == []


# -- making and pushing -----------------------------------------------------------------------------------------------


def test_a_commit_has_exactly_the_files_modes_and_people_it_was_given(github, shop, tmp_path):
    author = Author("Ada", "ada@example.org")
    with clone_of(shop, tmp_path / "run", github.tokens.app.value, author=author) as clone:
        head = clone.head("main")
        files = [
            change("a.yaml", b"a: 2\r\n\xff"), change("dir/b.yaml", None), change("ä/\"quoted\"\ttab", b""),
            change("run.sh", b"#!/bin/sh\n", "100755"), change("link", b"a.yaml", "120000"),
        ]  # fmt: skip
        oid = clone.commit(head.commit, "subject\n\nbody\n# no comment\n", files)
        clone.push("main", oid, head.commit)
    assert shop.head() == oid
    commit = shop.git.commit(oid)
    assert (commit.parents, commit.author[:2], commit.committer[:2]) == ((head.commit,), author, author)
    assert commit.message == "subject\n\nbody\n# no comment"
    entries = {
        one.path: (one.mode, shop.git.blob(one.sha))
        for one in shop.git.entries(oid, recursive=True)
        if one.type == "blob"
    }
    assert entries == {
        "a.yaml": ("100644", b"a: 2\r\n\xff"), "ä/\"quoted\"\ttab": ("100644", b""),
        "run.sh": ("100755", b"#!/bin/sh\n"), "link": ("120000", b"a.yaml"),
    }  # fmt: skip


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=300))
def test_bytes_arrive_as_they_are(shop, clone, content):
    head = clone.head("main")
    oid = clone.commit(head.commit, "x", [change("file", content)])
    clone.push("main", oid, head.commit)
    assert clone.head("main").tree.read("file") == content


def test_a_branch_that_moved_vanished_or_appeared_is_left_alone(github, shop, clone):
    head = clone.head("main")
    oid = clone.commit(head.commit, "x", [change("file", b"x")])
    moved = shop.commit({"other": "x\n"})
    with pytest.raises(Rejected) as caught:
        clone.push("main", oid, head.commit)
    assert (caught.value.kind, shop.head()) == ("moved", moved)

    shop.commit({"x": "1"}, "gone", start="main")
    gone = clone.head("gone")
    shop.git.delete("refs/heads/gone")
    with pytest.raises(Rejected):
        clone.push("gone", clone.commit(gone.commit, "x", [change("file", b"x")]), gone.commit)
    assert "refs/heads/gone" not in shop.git.refs()

    with pytest.raises(Rejected):
        clone.push("main", oid, "")
    clone.push("fresh", oid, "")
    assert shop.head("fresh") == oid


def test_the_connection_lost_for_good_is_an_error_that_says_what_to_do(github, shop, clone):
    head = clone.head("main")
    oid = clone.commit(head.commit, "x", [change("file", b"x")])
    github.faults.add("POST", PUSHED, faults.dropped(), times=math.inf)
    with pytest.raises(GitHubError, match="connection was lost 6 times") as caught:
        clone.push("main", oid, head.commit)
    assert (caught.value.exit_code, shop.head()) == (6, head.commit)
    assert "not done twice" in caught.value.hint


def test_a_push_that_the_other_side_has_no_room_for_changes_nothing(github, shop, clone):
    """The other side refuses the pack; the branch is where it was, and the same push lands later."""
    head = clone.head("main")
    oid = clone.commit(head.commit, "x", [change("file", b"x" * 5000)])
    shop.git.run("config", "receive.maxInputSize", "64")
    with pytest.raises(GitHubError):
        clone.push("main", oid, head.commit)
    assert shop.head() == head.commit
    shop.git.run("config", "--unset", "receive.maxInputSize")
    clone.push("main", oid, head.commit)
    assert shop.head() == oid


def test_a_full_disk_here_changes_nothing_and_the_next_run_completes(github, shop, tmp_path, monkeypatch):
    folder, real = tmp_path / "bin", shutil.which("git")
    folder.mkdir()
    # Our own git may write no byte to any file; the other side's is not touched.
    (folder / "git").write_text(f'#!/bin/sh\ncase "$HOME" in */history-home) ulimit -f 0;; esac\nexec {real} "$@"\n')
    (folder / "git").chmod(0o755)
    with clone_of(shop, tmp_path / "run", github.tokens.app.value) as clone:
        head = clone.head("main")
        with monkeypatch.context() as full:
            full.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
            with pytest.raises(GitError) as caught:
                clone.commit(head.commit, "x", [change("file", b"x" * 9000)])
            with pytest.raises((GitError, GitHubError)):
                clone.head("main")
        assert caught.value.exit_code == 5
        assert shop.head() == head.commit
        oid = clone.commit(head.commit, "x", [change("file", b"x" * 9000)])
        clone.push("main", oid, head.commit)
    assert shop.head() == oid


def test_nothing_of_the_users_configuration_runs(github, shop, clone, tmp_path, monkeypatch):
    ran = tmp_path / "ran"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("pre-push", "post-commit", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {ran}\n")
        (hooks / name).chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(
        f"[core]\n\thooksPath = {hooks}\n[commit]\n\tgpgSign = true\n[credential]\n\thelper = !touch {ran}\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    head = clone.head("main")
    clone.push("main", clone.commit(head.commit, "x", [change("file", b"x")]), head.commit)
    assert not ran.exists()


# -- with a deploy key ------------------------------------------------------------------------------------------------

_STAND_IN = """#!/bin/sh
# An ssh that goes nowhere: it notes what it was given, and runs the command here.
printf '%s\\n' "$@" > "{noted}"
env > "{noted}.env"
for last; do :; done
exec sh -c "$last"
"""


@pytest.fixture
def ssh(tmp_path, monkeypatch) -> Path:
    """A stand-in for ssh on PATH, and the file where it notes its arguments."""
    folder, noted = tmp_path / "bin", tmp_path / "noted"
    folder.mkdir()
    (folder / "ssh").write_text(_STAND_IN.format(noted=noted))
    (folder / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    return noted


def test_a_deploy_key_reads_and_pushes(shop, ssh, tmp_path):
    scratch = tmp_path / "with a blank"
    scratch.mkdir()
    origin = with_deploy_key(f"ssh://git@git.example.org{shop.path}", KEY, HOSTS, scratch=scratch)
    with Clone(origin, scratch / "run", wait=Waits(), jitter=lambda: 0.5) as clone:
        head = clone.head("main")
        oid = clone.commit(head.commit, "by key", [change("file", b"x")])
        clone.push("main", oid, head.commit)
    assert shop.head() == oid
    given = ssh.read_text().splitlines()
    assert given[given.index("-i") + 1] == str(scratch / "deploy-key")
    assert "StrictHostKeyChecking=yes" in given
    assert (scratch / "known-hosts").read_text() == HOSTS
    assert stat.S_IMODE((scratch / "deploy-key").stat().st_mode) == 0o600
    assert "CANARY" not in ssh.read_text() + Path(f"{ssh}.env").read_text()
    assert "SSH_AUTH_SOCK" not in Path(f"{ssh}.env").read_text()
    assert "deploy-key" not in repr(origin)


def test_real_ssh_understands_the_options(tmp_path):
    program = shutil.which("ssh")
    if program is None:
        pytest.skip("ssh is not on PATH; apt-get install openssh-client")
    origin = with_deploy_key("git@git.example.org:shop/apps.git", KEY, HOSTS, scratch=tmp_path)
    ended = subprocess.run(
        ["sh", "-c", f"{origin.ssh} -G git@git.example.org"], capture_output=True, text=True, check=True
    )  # fmt: skip
    settled = ended.stdout.splitlines()
    for line in (
        "stricthostkeychecking true", f"userknownhostsfile {tmp_path}/known-hosts", "batchmode yes",
        f"identityfile {tmp_path}/deploy-key", "identitiesonly yes", "forwardagent no", "identityagent none",
    ):  # fmt: skip
        assert line in settled


@pytest.mark.parametrize(
    ("url", "key", "hosts", "message"),
    [
        ("https://github.com/shop/apps", KEY, HOSTS, "by SSH"),
        ("git@github.com:shop/apps", "CANARY no key", HOSTS, "no private key"),
        ("git@github.com:shop/apps", KEY, "# nothing\n\n", "known_hosts is needed"),
        ("git@github.com:shop/apps", KEY, "", "known_hosts is needed"),
    ],
)
def test_a_deploy_key_without_all_it_needs_is_refused(tmp_path, url, key, hosts, message):
    with pytest.raises(UsageError, match=message) as caught:
        with_deploy_key(url, key, hosts, scratch=tmp_path)
    assert "CANARY" not in caught.value.told
    assert list(tmp_path.iterdir()) == []
