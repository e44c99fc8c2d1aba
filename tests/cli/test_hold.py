"""`hold list|add|release`: in the working tree, and on branches of the fake GitHub."""

from __future__ import annotations

import pytest

from gitops_bot.writeback.holds import FILE, parse_holds
from tests.cli.acme import API, Acme, acme

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

    shown = acme("hold release", *GIVEN, "--dry-run")
    assert "-  - what: ghcr.io/acme/churn-api" in shown.out
    assert acme.repository.head() == head
    ran = acme("hold release", *GIVEN)
    assert ran.code == 0, ran.err
    assert parse_holds(acme.read(FILE).encode()) == ()
    assert "released by ada" in acme.message()
    none = acme("hold release", *GIVEN)
    assert none.code == 0
    assert "the holds say it already" in none.out
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
    ran = acme("hold add", *GIVEN, "--why", "slow: `x`\n## y", "--by", "bob", "--no-commit")
    assert ran.code == 0, ran.err
    listed = acme("hold list")
    assert listed.out == f"{API} sha-0000bad is held until it is released by bob: slow: `x` ## y\n"
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
    acme.repository.commit({FILE: "holds: {}\n"})
    for arguments in (("hold list", "--branch", "main"), ("hold add", *GIVEN, "--why", "x"), ("hold release", *GIVEN)):
        ran = acme(*arguments)
        assert ran.code == 2, ran.out
        assert FILE in ran.err
    assert acme.github.writes() == []
