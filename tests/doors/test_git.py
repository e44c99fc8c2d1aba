"""Real repositories, read from their objects and left as they were."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gitops_bot.doors.git import Repository, text_diff
from gitops_bot.errors import GitError, UsageError


def git(where: Path, *argv: str) -> str:
    return subprocess.run(["git", *argv], cwd=where, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    home = tmp_path / "clone"
    home.mkdir()
    git(home, "init", "-q", "-b", "main")
    (home / "app").mkdir()
    (home / "app" / "values.yaml").write_text("replicas: 2\nimage: v1\n" + "".join(f"k{n}: {n}\n" for n in range(20)))
    (home / ".gitignore").write_text("ignored\n")
    git(home, "add", "-A")
    git(home, "commit", "-qm", "first")
    return home


def change(home: Path, text: str, replacement: str, message: str = "change") -> None:
    file = home / "app" / "values.yaml"
    file.write_text(file.read_text().replace(text, replacement))
    git(home, "commit", "-qam", message)


def test_a_tree_has_every_path_with_mode_and_size(clone: Path) -> None:
    (clone / "run.sh").write_text("#!/bin/sh\n")
    (clone / "run.sh").chmod(0o755)
    (clone / "link").symlink_to("app/values.yaml")
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "more")
    with Repository(str(clone)) as repository:
        tree = repository.tree("HEAD")
        modes = {path: tree.entries[path].mode for path in ("run.sh", "link", "app", "app/values.yaml")}
        assert modes == {"run.sh": "100755", "link": "120000", "app": "040000", "app/values.yaml": "100644"}
        assert tree.read("link").startswith(b"replicas: 2")
        assert tree.entries["run.sh"].size == 10


def test_the_working_tree_is_read_with_new_and_without_ignored_files_and_left_alone(clone: Path) -> None:
    (clone / "new.yaml").write_text("a: 1\n")
    (clone / "ignored").write_text("x")
    (clone / "app" / "values.yaml").write_text("replicas: 3\n")
    objects = git(clone, "count-objects", "-v")
    status = git(clone, "status", "--porcelain")
    with Repository(str(clone / "app")) as repository:
        tree = repository.working_tree()
        assert tree.read("new.yaml") == b"a: 1\n"
        assert tree.read("app/values.yaml") == b"replicas: 3\n"
        assert "ignored" not in tree
    assert git(clone, "count-objects", "-v") == objects
    assert git(clone, "status", "--porcelain") == status


def test_what_is_compared_is_what_merging_would_change(clone: Path) -> None:
    git(clone, "checkout", "-qb", "feature")
    change(clone, "replicas: 2", "replicas: 3")
    git(clone, "checkout", "-q", "main")
    change(clone, "k19: 19", "k19: changed on main")
    with Repository(str(clone)) as repository:
        compared = repository.compare("main", "feature")
        merged = compared.head.read("app/values.yaml")
        assert compared.how == "merge"
        assert b"replicas: 3" in merged
        assert b"changed on main" in merged, "a change that is on the base already is no change of the head"
        assert compared.base.read("app/values.yaml").startswith(b"replicas: 2")


def test_a_conflict_compares_the_merge_base_with_the_head_and_names_the_files(clone: Path) -> None:
    first = git(clone, "rev-parse", "HEAD")
    git(clone, "checkout", "-qb", "feature")
    change(clone, "replicas: 2", "replicas: 3")
    git(clone, "checkout", "-q", "main")
    change(clone, "replicas: 2", "replicas: 4")
    with Repository(str(clone)) as repository:
        compared = repository.compare("main", "feature")
    assert (compared.how, compared.conflicts, compared.base_commit) == ("conflict", ("app/values.yaml",), first)


def test_the_working_tree_is_merged_like_a_commit(clone: Path) -> None:
    git(clone, "checkout", "-qb", "feature")
    git(clone, "checkout", "-q", "main")
    change(clone, "k19: 19", "k19: changed on main")
    git(clone, "checkout", "-q", "feature")
    (clone / "new.yaml").write_text("a: 1\n")
    with Repository(str(clone)) as repository:
        compared = repository.compare("main", None)
        assert (compared.how, compared.head_commit) == ("merge", "")
        assert b"changed on main" in compared.head.read("app/values.yaml")
        assert "new.yaml" in compared.head


def test_histories_without_a_common_commit_are_compared_directly(clone: Path) -> None:
    git(clone, "checkout", "-q", "--orphan", "other")
    git(clone, "commit", "-qm", "other root")
    with Repository(str(clone)) as repository:
        assert repository.compare("main", "other").how == "direct"


def test_a_repository_without_commits_can_still_be_looked_at(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a.yaml").write_text("a: 1\n")
    with Repository(str(tmp_path)) as repository:
        assert repository.working_tree().read("a.yaml") == b"a: 1\n"


def test_paths_of_any_bytes_survive(clone: Path) -> None:
    name = "tab\there ünï \udcff\n.yaml"
    (clone / name).write_bytes(b"x")
    with Repository(str(clone)) as repository:
        assert repository.working_tree().read(name) == b"x"


def test_no_program_named_by_the_repositorys_own_settings_is_run(clone: Path, tmp_path: Path) -> None:
    trap = tmp_path / "ran"
    script = tmp_path / "trap.sh"
    script.write_text(f"#!/bin/sh\ntouch {trap}\n")
    script.chmod(0o755)
    git(clone, "config", "core.fsmonitor", str(script))
    git(clone, "config", "core.hooksPath", str(tmp_path))
    (tmp_path / "post-index-change").symlink_to(script)
    (clone / "new.yaml").write_text("a: 1\n")
    with Repository(str(clone)) as repository:
        repository.compare("HEAD", None)
    assert not trap.exists()


def test_branches_and_remotes_are_told(clone: Path) -> None:
    git(clone, "remote", "add", "origin", "https://github.com/acme/web.git")
    git(clone, "update-ref", "refs/remotes/origin/main", "HEAD")
    git(clone, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    with Repository(str(clone)) as repository:
        assert repository.branch_of("origin/HEAD") == "main"
        assert repository.branch_of("main") == "main"
        assert repository.branch_of(git(clone, "rev-parse", "HEAD")) == ""
        assert repository.remotes() == ("https://github.com/acme/web.git",)


def test_errors_say_what_to_do(clone: Path, tmp_path: Path) -> None:
    with Repository(str(clone)) as repository:
        with pytest.raises(UsageError, match="unknown revision nowhere"):
            repository.commit("nowhere")
        with pytest.raises(UsageError) as missing:
            repository.commit("origin/HEAD")
        assert "--base" in missing.value.hint
        with pytest.raises(UsageError):
            repository.commit("--output=/tmp/x")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(GitError, match="is not a Git repository"):
        Repository(str(empty))
    with pytest.raises(GitError, match="is not a directory"):
        Repository(str(tmp_path / "none"))


def test_a_missing_object_is_named(clone: Path) -> None:
    with Repository(str(clone)) as repository, pytest.raises(GitError, match="is not in this clone"):
        repository.blobs(["0" * 40])


@pytest.mark.parametrize("lines", [10, 30_000])
def test_text_diff_is_a_unified_diff_without_headers(lines: int) -> None:
    before = [f"line {n}" for n in range(lines)]
    after = [*before[:5], "changed", *before[6:]]
    assert text_diff("\n".join(before) + "\n", "\n".join(after) + "\n").splitlines()[4:6] == ["-line 5", "+changed"]
    assert text_diff("same\n", "same\n") == ""


def test_tags_mean_commits_or_nothing(clone: Path) -> None:
    first = git(clone, "rev-parse", "HEAD")
    git(clone, "tag", "v1.0.0")
    git(clone, "tag", "-a", "-m", "words", "v1.0.1")
    git(clone, "tag", "-a", "-m", "of a tag", "v1.0.2", "v1.0.1")
    git(clone, "tag", "blob", "HEAD:.gitignore")
    git(clone, "tag", "-a", "-m", "words", "tree", "HEAD^{tree}")
    (clone / ".git" / "refs" / "tags" / "lost").write_text(f"{'5' * 40}\n")
    with Repository(str(clone)) as repository:
        found = {tag.name: tag.commit for tag in repository.tags()}
    assert found == {"blob": "", "lost": "", "tree": "", "v1.0.0": first, "v1.0.1": first, "v1.0.2": first}
