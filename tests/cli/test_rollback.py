"""`rollback` from the command line: by commit, pull request and tag on the fake GitHub, and in the working tree."""

from __future__ import annotations

import subprocess

import pytest

from gitops_bot.writeback.holds import FILE, parse_holds
from tests.cli.acme import API, PRODUCTION, STAGING, Acme, acme

__all__ = ["acme"]


def bump(acme: Acme, tag: str, environment: str = "staging") -> None:
    ran = acme("bump", "--image", f"{API}:{tag}", "--environment", environment)
    assert ran.code == 0, ran.err


def test_the_newest_change_is_undone_and_held(acme: Acme) -> None:
    before = acme.read(STAGING)
    bump(acme, "sha-0000bad")
    acme.repository.commit({"README.md": "x\n"}, message="docs: x")
    ran = acme("rollback", "--environment", "staging", "--why", "every request failed")
    assert ran.code == 0, ran.err
    assert acme.read(STAGING) == before
    message = acme.message()
    assert message.startswith("fix: roll back staging to the state before ")
    assert "asked for by ada: every request failed" in message
    (hold,) = parse_holds(acme.read(FILE).encode())
    assert (hold.what, hold.version, hold.environment, hold.by) == (API, "sha-0000bad", "staging", "ada")
    assert hold.told in ran.out

    held = acme("bump", "--image", f"{API}:sha-0000bad", "--environment", "staging")
    assert held.code == 8
    assert "every request failed" in held.err

    # A second rollback goes further back, not forth again.
    again = acme("rollback", "--environment", "staging")
    assert again.code == 0, again.err
    assert "tag: sha-9d3e7f2" in acme.read(STAGING)
    last = acme("rollback", "--environment", "staging")
    assert last.code == 2
    assert "no change of the environment was found that could be undone" in last.err


def release(acme: Acme, tag: str) -> str:
    """Promote staging's version to production and tag it; the commit."""
    bump(acme, tag)
    assert acme("promote", "--to", "production").code == 0
    (pull,) = acme.pulls()
    merge = acme.merge(pull)
    ran = acme("promote", "--to", "production", "--after-merge")
    assert ran.code == 0, ran.err
    return merge


def test_an_environment_that_follows_tags_gets_the_next_one(acme: Acme) -> None:
    acme.without_gates()
    before = acme.read()
    release(acme, "sha-0000bad")
    assert "sha-0000bad" in acme.read(revision="v1.0.1")
    ran = acme("rollback", "--environment", "production")
    assert ran.code == 0, ran.err
    assert "tagged v1.0.2" in ran.out
    assert acme.read(revision="v1.0.2") == acme.read() == before
    assert acme.tags()["v1.0.2"] == acme.repository.head()
    writes = len(acme.github.writes())
    again = acme("rollback", "--environment", "production")
    assert again.code == 2, again.out
    assert "no release before v1.0.2 has other values" in again.err
    assert len(acme.github.writes()) == writes
    blocked = acme("promote", "--to", "production")
    assert blocked.code == 8
    assert f"{API} sha-0000bad is held in production" in blocked.err


def test_a_run_that_was_cut_off_before_its_tag_is_completed(acme: Acme) -> None:
    acme.without_gates()
    release(acme, "sha-0000bad")
    assert acme("rollback", "--environment", "production").code == 0
    acme.repository.git.delete("refs/tags/v1.0.2")
    acme.repository.commit({"README.md": "x\n"}, message="docs: x")
    ran = acme("rollback", "--environment", "production")
    assert ran.code == 0, ran.err
    assert "nothing to roll back" in ran.out
    assert acme.tags()["v1.0.2"] == acme.repository.git.resolve("main^")


def test_by_pull_request_the_tag_is_made_after_the_merge(acme: Acme) -> None:
    acme.without_gates()
    before = acme.read()
    release(acme, "sha-0000bad")
    acme.repository.protect("main")
    ran = acme("rollback", "--environment", "production")
    assert ran.code == 0, ran.err
    (pull,) = acme.pulls()
    assert (pull.title, pull.base_ref) == ("fix: roll back production to v1.0.0 (v1.0.2)", "main")
    assert "### Rendered diff" in pull.body
    assert "--after-merge" in ran.out
    assert "v1.0.2" not in acme.tags()
    early = acme("rollback", "--environment", "production", "--after-merge")
    assert early.code == 0
    assert "nothing to roll back" in early.out
    (acme.repository.path / "protected").unlink()
    merge = acme.merge(pull)
    ran = acme("rollback", "--environment", "production", "--after-merge")
    assert ran.code == 0, ran.err
    assert acme.tags()["v1.0.2"] == merge
    assert acme.read(revision="v1.0.2") == before


def test_a_rollback_to_what_was_put_on_hold_since_is_not_tagged(acme: Acme) -> None:
    acme.without_gates()
    release(acme, "sha-0000bad")
    assert acme("rollback", "--environment", "production").code == 0
    acme.repository.git.delete("refs/tags/v1.0.2")  # a run that was cut off
    first = acme.read().split("tag: ")[1].split("\n")[0]
    held = acme.read(FILE) + f"- {{what: ghcr.io/acme/churn-api, version: {first}, why: worse, by: bob}}\n"
    acme.repository.commit({FILE: held.replace("  - ", "- ").replace("\n    ", "\n  ")}, "main", "chore: hold")
    again = acme("rollback", "--environment", "production", "--after-merge")
    assert again.code == 0, again.err  # by commit: there is no pull request
    refused = acme("rollback", "--environment", "production", "--to", "main")
    assert refused.code == 8, refused.out + refused.err
    assert f"production is not tagged, because ghcr.io/acme/churn-api {first} is held" in refused.err
    assert "v1.0.2" not in acme.tags()


def test_to_a_revision_and_to_what_was_healthy(acme: Acme) -> None:
    good = acme.repository.head()
    acme.agent(good, "in_progress", "success")
    for tag in ("sha-00000b1", "sha-00000b2"):
        bump(acme, tag)
        acme.agent(acme.repository.head(), "failure")
    want = acme.read(STAGING, good)
    shown = acme("rollback", "--environment", "staging", "--last-healthy", "--dry-run")
    assert shown.code == 0, shown.err
    assert "+  tag: sha-4be81c0" in shown.out
    ran = acme("rollback", "--environment", "staging", "--last-healthy")
    assert ran.code == 0, ran.err
    assert acme.read(STAGING) == want
    (hold,) = parse_holds(acme.read(FILE).encode())
    assert hold.version == "sha-00000b2"
    older = acme("rollback", "--environment", "staging", "--to", "v1.0.0", "--until", "2030-01-01")
    assert older.code == 0, older.err
    assert "tag: sha-9d3e7f2" in acme.read(STAGING)
    again = acme("rollback", "--environment", "staging", "--to", "v1.0.0")
    assert again.code == 0, again.err
    assert "nothing to roll back" in again.out


def test_the_working_tree_alone_without_a_token(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")
    for option in (("--no-commit", "--dry-run"), ("--no-commit",)):
        ran = acme("rollback", "--environment", "staging", *option)
        assert ran.code == 0, ran.err
        assert "sha-4be81c0" in ran.out
    assert "sha-9d3e7f2" in (acme.checkout / STAGING).read_text()
    (hold,) = parse_holds((acme.checkout / FILE).read_bytes())
    assert hold.version == "sha-4be81c0"
    status = subprocess.run(
        ["git", "-C", acme.checkout, "status", "--short"], capture_output=True, text=True, check=True
    )
    assert status.stdout.split() == ["M", STAGING, "??", FILE]
    assert acme.github.writes() == []


def test_wrong_options_write_nothing(acme: Acme) -> None:
    for arguments in (
        ("--environment", "nowhere"), ("--environment", "staging", "--to", "v9.9.9"),
        ("--environment", "staging", "--to", "abcdef0"),
        ("--environment", "staging", "--to", "f" * 40, "--dry-run"),
        ("--environment", "staging", "--to", "v1.0.0", "--last-healthy"),
        ("--environment", "staging", "--last-healthy"), ("--environment", "staging", "--last-healthy", "--no-commit"),
        ("--environment", "production"), ("--environment", "staging", "--after-merge", "--dry-run"),
    ):  # fmt: skip
        ran = acme("rollback", *arguments)
        assert ran.code == 2, (arguments, ran.out, ran.err)
        assert ran.err.startswith("error: ")
    assert acme.github.writes() == []
    assert PRODUCTION in acme.repository.git.run("ls-tree", "-r", "--name-only", "main")
