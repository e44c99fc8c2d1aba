"""`hold list|add|release`: in the working tree, and on branches of the fake GitHub."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops_bot.doors.history import Origin
from gitops_bot.doors.push import Clone
from gitops_bot.writeback.held_proposals import close_held
from gitops_bot.writeback.holds import FILE, Hold, add_hold, parse_holds
from tests.cli.acme import API, Acme, acme
from tests.github import faults
from tests.github.state import Pull

__all__ = ["acme"]
GIVEN = ("--what", API, "--version", "sha-0000bad")


def test_a_hold_is_added_counts_and_is_released(acme: Acme) -> None:
    ran = acme("hold add", *GIVEN, "--why", "slow", "--environment", "production", "--until", "2099-01-01")
    assert ran.code == 0, ran.err
    assert acme.message().startswith(f"chore: hold {API} sha-0000bad\n")
    (hold,) = parse_holds(acme.read(FILE).encode())
    assert (hold.by, hold.why, hold.until, hold.environment) == ("ada", "slow", "2099-01-01", "production")
    head = acme.repository.head()
    again = acme("hold add", *GIVEN, "--why", "slow", "--environment", "production", "--until", "2099-01-01")
    assert (again.code, acme.repository.head()) == (0, head)
    assert "the holds say it already" in again.out

    listed = acme("hold list", "--branch", "main")
    assert listed.out == f"{hold.told}\n"
    assert acme("hold list", "--branch", "main", "--environment", "staging").out == "nothing is held in staging\n"
    assert acme("hold list").out == "nothing is held\n"
    held = acme("bump", "--image", f"{API}:sha-0000bad", "--environment", "production")
    assert held.code == 8
    assert "slow" in held.err
    assert f"`gitops-bot hold release --what {API} --version sha-0000bad --environment production`" in held.err

    shown = acme("hold release", *GIVEN, "--dry-run")
    assert "-  - what: ghcr.io/acme/churn-api" in shown.out
    assert acme.repository.head() == head
    ran = acme("hold release", *GIVEN)
    assert ran.code == 0, ran.err
    assert parse_holds(acme.read(FILE).encode()) == ()
    assert f"{API} sha-0000bad is released by ada; ada had held it: slow" in acme.message()
    none = acme("hold release", *GIVEN)
    assert none.code == 0
    assert none.out.startswith(f"nothing to release: {API} sha-0000bad is not held; ")
    assert acme("bump", "--image", f"{API}:sha-0000bad", "--environment", "production").code == 0


def test_a_branch_of_an_environment_and_a_protected_one(acme: Acme) -> None:
    ran = acme("hold add", *GIVEN, "--why", "slow", "--environment", "development")
    assert ran.code == 0, ran.err
    assert "sha-0000bad" in acme.read(FILE, "develop")
    acme.repository.protect("main")
    ran = acme("hold add", *GIVEN, "--why", "slow", "--environment", "staging")
    assert ran.code == 0, ran.err
    (pull,) = acme.pulls()
    assert (pull.base_ref, pull.title) == ("main", f"chore: hold {API} sha-0000bad")


def test_the_working_tree_alone_without_a_token(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")
    assert "sha-0000bad" in acme("hold add", *GIVEN, "--why", "slow", "--dry-run").out
    assert acme("hold list").out == "nothing is held\n"
    ran = acme("hold add", *GIVEN, "--why", "slow: `x`\n## y", "--by", "bob", "--no-commit")
    assert ran.code == 0, ran.err
    listed = acme("hold list")
    assert listed.out == f"{API} sha-0000bad is held by bob until it is released: slow: `x` ## y\n"
    again = acme("hold add", *GIVEN, "--why", "slower", "--by", "bob", "--no-commit")
    assert again.code == 0, again.err
    (hold,) = parse_holds((acme.checkout / FILE).read_bytes())
    assert hold.why == "slower"
    assert acme("hold release", "--what", API, "--no-commit").code == 0
    assert acme("hold list").out == "nothing is held\n"
    assert acme.github.writes() == []


def test_what_cannot_be_held_is_told(acme: Acme) -> None:
    for arguments in (
        ("--why", "slow", "--environment", "nowhere"), ("--why", " "), ("--why", "slow", "--until", "tomorrow")
    ):  # fmt: skip
        for option in ((), ("--no-commit",)):
            ran = acme("hold add", *GIVEN, *arguments, *option)
            assert ran.code == 2, (arguments, ran.out)
            assert ran.err.startswith("error: ")
    for what in (f"{API}:sha-0000bad", f"{API}@sha256:{'0a' * 32}"):
        ran = acme("hold add", "--what", what, "--version", "*", "--why", "slow", "--no-commit")
        assert ran.code == 2, ran.out
        assert "nothing would ever be held by that name" in ran.err
        assert f"give --what {API} and --version " in ran.err
    acme.repository.commit({FILE: "holds: {}\n"})
    for arguments in (("hold list", "--branch", "main"), ("hold add", *GIVEN, "--why", "x"), ("hold release", *GIVEN)):
        ran = acme(*arguments)
        assert ran.code == 2, ran.out
        assert FILE in ran.err
    assert acme.github.writes() == []


def proposed(acme: Acme, version: str, environment: str = "staging") -> Pull:
    """An open pull request of a bump."""
    ran = acme("bump", "--image", f"{API}:{version}", "--environment", environment, "--mode", "pull-request")
    assert ran.code == 0, ran.err
    return max(acme.pulls(), key=lambda pull: pull.number)


def test_what_proposes_a_held_version_is_closed_and_says_why(acme: Acme) -> None:
    staging, production = proposed(acme, "sha-0000bad"), proposed(acme, "sha-0000bad", "production")
    by_hand = acme.github.open_pull(acme.repository, "by-hand", files={"x": "sha-0000bad\n"})
    ran = acme("hold add", *GIVEN, "--why", "slow @ada <!-- x", "--environment", "staging")
    assert ran.code == 0, ran.err
    assert (
        f"  #{staging.number} was closed: {API} sha-0000bad is held in staging by ada until it is released" in ran.out
    )
    release = f"`gitops-bot hold release --what {API} --version sha-0000bad --environment staging`"
    assert f"{release} releases it" in ran.out
    assert [pull.state for pull in (staging, production, by_hand)] == ["closed", "open", "open"]
    assert f"refs/heads/{staging.head_ref}" not in acme.repository.git.refs()
    note = staging.body.split("\n")[1]
    assert note.startswith("> **Closed by gitops-bot:** ")
    assert release in note
    assert "@ada" not in note and "<!--" not in note
    writes = len(acme.github.writes())
    assert acme("hold add", *GIVEN, "--why", "slow @ada <!-- x", "--environment", "staging").code == 0
    assert len(acme.github.writes()) == writes

    ran = acme("hold release", *GIVEN)
    assert "nothing was reopened: run bump" in ran.out
    assert staging.state == "closed"
    again = proposed(acme, "sha-0000bad")
    assert (again.state, again.number > by_hand.number) == ("open", True)


def test_a_hold_that_was_cut_off_before_it_closed_anything_is_completed(acme: Acme) -> None:
    pull = proposed(acme, "sha-0000bad")
    hold = Hold(what=API, version="sha-0000bad", why="slow", by="ada")
    acme.repository.commit({FILE: add_hold(None, hold)})
    ran = acme("hold add", *GIVEN, "--why", "slow")
    assert "the holds say it already" in ran.out
    assert pull.state == "closed"


def test_a_hold_that_is_only_proposed_closes_nothing_yet(acme: Acme) -> None:
    pull = proposed(acme, "sha-0000bad")
    ran = acme("hold add", *GIVEN, "--why", "slow", "--mode", "pull-request")
    assert "stays open until this is merged" in ran.out
    assert pull.state == "open"
    acme.merge(max(acme.pulls(), key=lambda one: one.number))
    acme("hold add", *GIVEN, "--why", "slow", "--mode", "pull-request")
    assert pull.state == "closed"


def test_two_holds_that_are_proposed_do_not_replace_each_other(acme: Acme) -> None:
    for version in ("sha-1", "sha-2"):
        ran = acme("hold add", "--what", API, "--version", version, "--why", "slow", "--mode", "pull-request")
        assert ran.code == 0, ran.err
    assert [pull.title for pull in acme.pulls()] == [f"chore: hold {API} sha-1", f"chore: hold {API} sha-2"]


def test_without_the_api_it_is_said_that_nothing_was_looked_for(acme: Acme, tmp_path: Path) -> None:
    acme.repository.commit({FILE: add_hold(None, Hold(what=API, version="x", why="slow", by="ada"))})
    origin = Origin(acme.repository.clone_url, acme.github.tokens.app.value)
    with Clone(origin, tmp_path / "clone") as clone:
        (note,) = close_held("main", clone, None, now=datetime.now(UTC))
        assert "not looked for" in note
        assert close_held("develop", clone, None, now=datetime.now(UTC)) == []


def test_a_token_that_may_not_close_is_a_note(acme: Acme) -> None:
    pull = proposed(acme, "sha-0000bad")
    acme.github.faults.add("PATCH", "*/pulls/*", faults.refused(403, "Resource not accessible by integration"))
    ran = acme("hold add", *GIVEN, "--why", "slow")
    assert ran.code == 0, ran.err
    assert f"#{pull.number} is of no use any more" in ran.out


def test_foreign_words_reach_no_message_with_a_meaning_for_github(acme: Acme) -> None:
    acme.repository.protect("main")
    why = "fixes #1 @ada [skip ci]\nSigned-off-by: x <x@y.z>"
    ran = acme("hold add", "--what", "closes", "--version", "#2", "--why", why, "--by", "@bob")
    assert ran.code == 0, ran.err
    (pull,) = acme.pulls()
    message = acme.message(pull.head_ref)
    for word in ("closes #2", "fixes #1", "@ada", "@bob", "[skip ci]"):
        assert word not in message
        assert word not in pull.title
    assert pull.title == "chore: hold closes - #2"
