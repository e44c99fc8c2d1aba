from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from contextlib import ExitStack

import pytest

from gitops_bot.doors.git import Repository
from gitops_bot.writeback.editor.address import parse
from gitops_bot.writeback.editor.edit import Edit
from gitops_bot.writeback.editor.files import FileEdits, edit_files, write_files
from gitops_bot.writeback.editor.problems import EditRefused

FILES = {
    "a/values.yaml": "image:\n  tag: v1 # c\n",
    "b/values.yaml": "image: {tag: v1}\r\n",
    "c/values.yaml": "image:\n  tag: v2\n",
}


def tag(path, value="v2", address="image.tag"):
    return FileEdits(path, [Edit(address=parse(address), value=value)])


def contents(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".git" not in path.parts
    }


@pytest.fixture
def checkout(repository):
    return repository(FILES)


@pytest.fixture
def tree_of():
    with ExitStack() as opened:
        yield lambda checkout: opened.enter_context(Repository(str(checkout.path))).tree("HEAD")


def test_all_files_are_edited(checkout, tree_of):
    changes = edit_files(tree_of(checkout), [tag("b/values.yaml"), tag("a/values.yaml"), tag("c/values.yaml")])
    assert [(change.path, change.mode, change.new, change.changed) for change in changes] == [
        ("a/values.yaml", "100644", b"image:\n  tag: v2 # c\n", True),
        ("b/values.yaml", "100644", b"image: {tag: v2}\r\n", True),
        ("c/values.yaml", "100644", b"image:\n  tag: v2\n", False),
    ]
    write_files(str(checkout.path), changes)
    assert contents(checkout.path) == {change.path: change.new for change in changes}
    assert checkout.git("status", "--porcelain").splitlines() == [" M a/values.yaml", " M b/values.yaml"]


def test_the_problems_of_every_file_are_told(checkout, tree_of):
    wanted = [
        tag("a/values.yaml", address="x"),
        tag("b/values.yaml"),
        tag("no.yaml"),
        tag("a"),
        tag("../x"),
        tag("b/values.yaml", address="y"),
    ]
    with pytest.raises(EditRefused) as caught:
        edit_files(tree_of(checkout), wanted)
    assert [(problem.file, problem.address) for problem in caught.value.problems] == [
        ("no.yaml", ""), ("a", ""), ("../x", ""), ("a/values.yaml", "x"), ("b/values.yaml", "y"),
    ]  # fmt: skip
    assert "a/values.yaml:1: x: the document has no key x" in caught.value.message


def test_a_link_stands_for_its_file(repository, tree_of):
    checkout = repository({"base/values.yaml": "tag: v1\n"})
    (checkout.path / "link.yaml").symlink_to("base/values.yaml")
    (checkout.path / "dir").symlink_to("base")
    (checkout.path / "out.yaml").symlink_to("../../etc/passwd")
    checkout.git("add", "-A")
    checkout.git("commit", "-qm", "links")
    tree = tree_of(checkout)
    changes = edit_files(tree, [tag("link.yaml", address="tag"), tag("dir/values.yaml", address="tag")])
    assert [(change.path, change.new, len(change.outcomes)) for change in changes] == [
        ("base/values.yaml", b"tag: v2\n", 2)
    ]
    assert [path for path, _outcome in changes[0].outcomes] == ["link.yaml", "dir/values.yaml"]
    write_files(str(checkout.path), changes)
    assert (checkout.path / "link.yaml").is_symlink()
    assert checkout.git("status", "--porcelain").splitlines() == [" M base/values.yaml"]
    with pytest.raises(EditRefused, match="leads out of the repository"):
        edit_files(tree, [tag("out.yaml", address="tag")])


def test_modes_stay(checkout, tree_of):
    path = checkout.path / "a" / "values.yaml"
    path.chmod(0o755)
    write_files(str(checkout.path), edit_files(tree_of(checkout), [tag("a/values.yaml")]))
    assert stat.S_IMODE(path.stat().st_mode) == 0o755


def test_a_file_that_somebody_else_has_changed_is_left_alone(checkout, tree_of):
    changes = edit_files(tree_of(checkout), [tag("a/values.yaml"), tag("b/values.yaml")])
    (checkout.path / "b" / "values.yaml").write_text("image: {tag: theirs}\n")
    before = contents(checkout.path)
    with pytest.raises(EditRefused, match=r"b/values\.yaml: it is not what was read"):
        write_files(str(checkout.path), changes)
    assert contents(checkout.path) == before


def test_a_link_that_was_not_there_is_not_followed(checkout, tmp_path, tree_of):
    changes = edit_files(tree_of(checkout), [tag("a/values.yaml")])
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "values.yaml").write_text(FILES["a/values.yaml"])
    (checkout.path / "a" / "values.yaml").unlink()
    (checkout.path / "a").rmdir()
    (checkout.path / "a").symlink_to(outside)
    with pytest.raises(EditRefused, match="symbolic link"):
        write_files(str(checkout.path), changes)
    (checkout.path / "a").unlink()
    (checkout.path / "a").mkdir()
    (checkout.path / "a" / "values.yaml").symlink_to(outside / "values.yaml")
    with pytest.raises(EditRefused, match="symbolic link"):
        write_files(str(checkout.path), changes)
    assert (outside / "values.yaml").read_text() == FILES["a/values.yaml"]


@pytest.mark.parametrize("call", ["fsync", "replace", "link"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_failure_leaves_everything_as_it_was(checkout, monkeypatch, call, at, tree_of):
    """The system's own calls fail, as on a full disk: no file has changed and none is left over."""
    changes = edit_files(tree_of(checkout), [tag("a/values.yaml"), tag("b/values.yaml")])
    before = contents(checkout.path)
    real, calls = getattr(os, call), []

    def failing(*arguments, **named):
        calls.append(arguments)
        if len(calls) == at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*arguments, **named)

    monkeypatch.setattr(os, call, failing)
    failed = (at <= 2 and call != "link") or (call, at) == ("fsync", 3)
    if failed:
        with pytest.raises(EditRefused, match="No space left"):
            write_files(str(checkout.path), changes)
        assert contents(checkout.path) == before
    else:
        write_files(str(checkout.path), changes)
        assert contents(checkout.path) == {**before, **{change.path: change.new for change in changes}}


def test_a_full_disk_leaves_everything_as_it_was(checkout):
    """A real limit: no file of this process may grow beyond some bytes."""
    before = contents(checkout.path)
    script = """
import resource, signal, sys
from gitops_bot.writeback.editor.files import FileChange, write_files
from gitops_bot.writeback.editor.problems import EditRefused
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
root = sys.argv[1]
def change(path, new):
    old = open(f"{root}/{path}", "rb").read()
    return FileChange(path=path, mode="100644", old=old, new=new, outcomes=())
try:
    write_files(root, [change("a/values.yaml", b"new"), change("b/values.yaml", b"x" * 5000)])
except EditRefused as error:
    print(error.message)
"""
    ended = subprocess.run(
        [sys.executable, "-c", script, str(checkout.path)], capture_output=True, text=True, check=True,
        cwd=os.getcwd(), env={**os.environ, "PYTHONPATH": os.getcwd()},
    )  # fmt: skip
    assert "b/values.yaml: File too large" in ended.stdout
    assert contents(checkout.path) == before


def test_nothing_to_change_touches_nothing(checkout, tree_of):
    path = checkout.path / "c" / "values.yaml"
    before = path.stat()
    write_files(str(checkout.path), edit_files(tree_of(checkout), [tag("c/values.yaml")]))
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
