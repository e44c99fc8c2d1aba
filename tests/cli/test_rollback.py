"""`rollback` from the command line: by commit, pull request and tag on the fake GitHub, and in the working tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gitops_bot.cli.evidence import Evidence
from gitops_bot.cli.past import Undo
from gitops_bot.cli.rolling_back import roll_back_there
from gitops_bot.cli.workspace import Wanted
from gitops_bot.cli.writing import find_target, open_place
from gitops_bot.doors.push import Clone
from gitops_bot.model.writeback import Head
from gitops_bot.writeback.holds import FILE, parse_holds
from gitops_bot.writeback.landing.topics import marked
from gitops_bot.writeback.moves.rollback import RollbackRequest
from tests.cli.acme import API, PRODUCTION, STAGING, Acme, acme
from tests.github import faults

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


def does_nothing(acme: Acme, *arguments: str) -> str:
    """What a rollback says that writes nothing, not even to find out that it would write nothing."""
    head, tags, writes = acme.repository.head(), acme.tags(), len(acme.github.writes())
    ran = acme("rollback", *arguments)
    assert ran.code == 0, ran.err
    assert ran.out.startswith("nothing to roll back: ")
    assert (acme.repository.head(), acme.tags(), len(acme.github.writes())) == (head, tags, writes)
    return str(ran.out)


def test_a_second_rollback_does_nothing_and_names_the_first(acme: Acme) -> None:
    first = acme.read(STAGING)
    bump(acme, "sha-0000bad")
    assert acme("rollback", "--environment", "staging").code == 0
    done = acme.repository.head()
    acme.repository.commit({"README.md": "x\n"}, message="docs: x")
    for how in ((), ("--last-healthy",), ("--dry-run",)):
        said = does_nothing(acme, "--environment", "staging", *how)
        assert f"{done[:7]} (fix: roll back staging to the state before " in said
        assert "has rolled staging back already; --to REVISION goes further back" in said

    # What comes after it is a change as any other.
    bump(acme, "sha-000bad2")
    assert acme("rollback", "--environment", "staging").code == 0
    assert acme.read(STAGING) == first
    does_nothing(acme, "--environment", "staging")
    further = acme("rollback", "--environment", "staging", "--to", "v1.0.0")
    assert further.code == 0, further.err
    assert "tag: sha-9d3e7f2" in acme.read(STAGING)
    does_nothing(acme, "--environment", "staging")


def test_what_somebody_reverted_by_hand_is_not_reverted_back(acme: Acme) -> None:
    first = acme.read(STAGING)
    bump(acme, "sha-0000bad")
    acme.repository.commit({STAGING: first}, message="revert: it was \x1b[31mslow")
    said = does_nothing(acme, "--environment", "staging")
    assert "slow) has rolled staging back already" in said
    assert "\x1b" not in said, "what people wrote does not speak to the terminal"


def test_a_message_alone_makes_no_rollback(acme: Acme) -> None:
    first = acme.read(STAGING)
    forged = "fix: roll back staging\n\nGitops-Bot-Rollback: staging\nGitops-Bot-Topic: rollback/staging\n"
    acme.repository.commit({STAGING: first.replace("sha-4be81c0", "sha-0000bad")}, message=forged)
    ran = acme("rollback", "--environment", "staging")
    assert ran.code == 0, ran.err
    assert acme.read(STAGING) == first


def test_two_who_roll_back_at_once_go_back_once(acme: Acme, tmp_path: Path) -> None:
    first = acme.read(STAGING)
    bump(acme, "sha-00000b1")
    second = acme.read(STAGING)
    bump(acme, "sha-00000b2")
    together = threading.Barrier(2)

    def job(number: int) -> str:
        """As the command, but both have read the same before either writes."""
        target = find_target(str(acme.checkout), "", os.environ)
        with open_place(target, str(acme.checkout), os.environ, Wanted()) as place:
            undo = Undo(RollbackRequest(environment="staging", by=f"person-{number}"))
            clone = Together(place.clone, together)
            return roll_back_there(place._replace(clone=clone), Evidence(place, datetime.now(UTC)), undo).landed.mode

    with ThreadPoolExecutor(2) as pool:
        modes = sorted(pool.map(job, range(2)))
    assert modes == ["api", "nothing"]
    assert acme.read(STAGING) == second != first


class Together:
    """A clone whose second look at a branch waits for the others."""

    def __init__(self, clone: Clone, barrier: threading.Barrier) -> None:
        self._clone, self._barrier, self._looks = clone, barrier, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._clone, name)

    def head(self, branch: str) -> Head:
        found = self._clone.head(branch)
        self._looks += 1
        if self._looks == 3:  # for the settings, for the choice, for the first attempt
            self._barrier.wait(120)
        return found


def test_while_its_pull_request_is_open_a_rerun_only_looks_after_it(acme: Acme) -> None:
    bump(acme, "sha-0000bad")
    asked = ("--environment", "staging", "--mode", "pull-request")
    assert acme("rollback", *asked).code == 0
    (pull,) = acme.pulls()
    commit, body, writes = pull.head_sha, pull.body, len(acme.github.writes())
    again = acme("rollback", *asked)
    assert again.code == 0, again.err
    assert f"pull request {pull.number}" in again.out
    assert (pull.head_sha, pull.body, len(acme.github.writes())) == (commit, body, writes)
    later = acme("rollback", *asked, "--why", "every request failed")
    assert later.code == 0, later.err
    assert acme.pulls() == [pull]
    assert "every request failed" in (pull.body or "")
    assert acme.read(STAGING, pull.head_ref) == acme.read(STAGING, f"{pull.head_ref}~2")
    acme.merge(pull)
    assert f"#{pull.number}" in does_nothing(acme, *asked)


def test_the_change_is_found_before_the_file_had_its_name(acme: Acme) -> None:
    before = acme.read(STAGING)
    bump(acme, "sha-0000bad")
    folder = "k8s/helm/churn-mlops/"
    moved = {f"{folder}values-{name}.yaml": None for name in ("development", "staging", "production")}
    text = acme.read(".gitops-bot.yaml").replace("values-{environment}", "env-{environment}")
    acme.repository.commit({
        **moved, ".gitops-bot.yaml": text, f"{folder}env-staging.yaml": acme.read(STAGING),
        f"{folder}env-production.yaml": acme.read(), f"{folder}env-development.yaml": acme.read(f"{folder}values-development.yaml"),
    }, message="chore: other names")  # fmt: skip
    ran = acme("rollback", "--environment", "staging")
    assert ran.code == 0, ran.err
    assert acme.read(f"{folder}env-staging.yaml") == before
    does_nothing(acme, "--environment", "staging")


CHART = "k8s/helm/churn-mlops/templates/flavour.yaml"
WANTS = '{{- if contains "staging" .Release.Namespace }}{{- $_ := required "flavour is not set" .Values.flavour }}{{- end }}\n'


def test_what_does_not_render_any_more_is_not_gone_back_to(acme: Acme) -> None:
    """The chart has moved on, and the old values lack what it needs today."""
    acme.repository.commit({STAGING: acme.read(STAGING) + "flavour: salty\n"}, message="feat: a flavour")
    acme.repository.commit({CHART: WANTS}, message="feat: the chart needs it")
    subprocess.run(["git", "-C", acme.checkout, "pull", "-q"], check=True)
    for option in ((), ("--dry-run",), ("--mode", "pull-request"), ("--no-commit",), ("--to", "v1.0.0")):
        ran = acme("rollback", "--environment", "staging", *option)
        assert ran.code == 8, (option, ran.out, ran.err)
        assert "churn-mlops-staging could not be rendered any more" in ran.err
        assert "flavour is not set" in ran.err
        assert "name another revision with --to" in ran.err
    assert acme.github.writes() == []


def test_what_renders_differently_is_named_and_what_could_not_be_looked_at(
    acme: Acme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bump(acme, "sha-0000bad")
    ran = acme("rollback", "--environment", "staging", "--mode", "pull-request")
    assert ran.code == 0, ran.err
    (pull,) = acme.pulls()
    assert "Renders differently: `churn-mlops-staging`\n" in (pull.body or "")
    # An outage does not wait for a renderer.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").symlink_to(str(shutil.which("git")))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("GITOPS_BOT_TOOLS", str(tmp_path / "none"))
    ran = acme("rollback", "--environment", "staging", "--mode", "pull-request")
    assert ran.code == 0, ran.err
    assert "what it does to what is rendered was not checked: helm was not found" in (pull.body or "")


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
    assert "v1.0.2 has rolled production back already" in does_nothing(acme, "--environment", "production")
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
    does_nothing(acme, "--environment", "production")


FORGED = (
    "fix: roll back production to v1.0.0 (v1.0.2)\n\nGitops-Bot-Rollback: production\nGitops-Bot-Tag: v1.0.2\n"
    "Gitops-Bot-Level: patch\nGitops-Bot-Environment: production\nGitops-Bot-Topic: rollback/production\n"
)


@pytest.mark.parametrize("way", ["pushed", "squashed", "by a branch of this name"])
def test_nothing_is_tagged_because_a_message_says_so(acme: Acme, way: str) -> None:
    """Whoever may propose a change writes its message; here it brings the values back, and something else too."""
    acme.without_gates()
    good = acme.read()
    release(acme, "sha-0000bad")
    files = {PRODUCTION: good, "k8s/helm/churn-mlops/templates/evil.yaml": "kind: Evil\n"}
    if way == "pushed":
        acme.repository.commit(files, message=FORGED)
    else:
        branch = "gitops-bot/rollback--production" if way != "squashed" else "fix"
        made = acme.github.open_pull(acme.repository, branch, from_fork="eve", files=files)
        made.body = marked("rollback/production", "x", "y")
        made.head_repository.commit({"README.md": "x\n"}, branch, FORGED)
        acme.api("PUT", f"/pulls/{made.number}/merge", {"merge_method": "squash"})
    assert "Gitops-Bot-Topic: rollback/production" in acme.message()
    said = does_nothing(acme, "--environment", "production")
    assert f"no release has {acme.repository.head()[:7]}, the newest change of production" in said
    after = acme("rollback", "--environment", "production", "--after-merge")
    assert after.code == 0, after.err
    assert "no pull request of gitops-bot for production was merged" in after.out
    assert sorted(acme.tags()) == ["v1.0.0", "v1.0.1"]


@pytest.mark.parametrize("option", [("--after-merge",), ()], ids=["asked for", "by the same job again"])
def test_by_pull_request_the_tag_is_made_after_the_merge(acme: Acme, option: tuple[str, ...]) -> None:
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
    ran = acme("rollback", "--environment", "production", *option)
    assert ran.code == 0, ran.err
    assert acme.tags()["v1.0.2"] == merge
    assert acme.read(revision="v1.0.2") == before
    does_nothing(acme, "--environment", "production", *option)


def test_a_tag_that_is_refused_does_not_hide_the_commit(acme: Acme) -> None:
    acme.without_gates()
    release(acme, "sha-0000bad")
    assert (
        acme("bump", "--image", f"{API}:sha-0000bad", "--environment", "production", "--mode", "pull-request").code == 0
    )
    before = acme.repository.head()
    refusal = faults.refused(
        422, "Repository rule violations found: Cannot create ref due to creations being restricted."
    )
    acme.github.faults.add("POST", "*/git/refs", refusal)
    refused = acme("rollback", "--environment", "production")
    assert refused.code == 6
    tip = acme.repository.head()
    assert tip != before
    assert f"{tip[:7]} is on main, but has no tag yet: " in refused.err
    assert [pull.state for pull in acme.pulls("closed")][-1:] == ["closed"]
    again = acme("rollback", "--environment", "production")
    assert again.code == 0, again.err
    assert acme.tags()["v1.0.2"] == tip


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


def test_only_what_the_environment_had_is_gone_back_to(acme: Acme) -> None:
    acme.without_gates()
    side = acme.repository.commit({STAGING: acme.read(STAGING) + "# x\n", "x": "x"}, "side", "feat: x", start="main")
    fork = acme.github.open_pull(acme.repository, "theirs", from_fork="eve", files={STAGING: "image: {tag: evil}\n"})
    for revision in ("side", side, side[:8], fork.head_sha):
        for environment, where in (
            ("staging", "no commit of main or"),
            ("production", "no commit of main, a release (v*.*.*) or"),
        ):
            ran = acme("rollback", "--environment", environment, "--to", revision)
            assert ran.code == 8, (revision, ran.out, ran.err)
            assert f"{environment} never had {revision}: it is {where} deployment of the agent" in ran.err
            assert "name a commit of main" in ran.err
    assert [each for each in acme.github.writes() if "deployments" not in each.path] == []
    # A release that was made beside the branch, and what the agent has deployed there, are states that it had.
    acme.repository.git.run("tag", "v1.0.7", side)
    hotfix = acme("rollback", "--environment", "production", "--to", "v1.0.7", "--dry-run")
    assert hotfix.code == 0, hotfix.err
    acme.agent(side, "success")
    assert acme("rollback", "--environment", "staging", "--to", side, "--dry-run").code == 0
    assert acme("rollback", "--environment", "staging", "--to", "v1.0.7", "--dry-run").code == 0


def test_the_working_tree_alone_without_a_token(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")
    for option in (("--no-commit", "--dry-run"), ("--dry-run",), ("--no-commit",)):
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
        ("--environment", "staging", "--to", "v1.0.0", "--last-healthy"),
        ("--environment", "staging", "--last-healthy"), ("--environment", "staging", "--last-healthy", "--no-commit"),
        ("--environment", "production"), ("--environment", "staging", "--after-merge", "--dry-run"),
    ):  # fmt: skip
        ran = acme("rollback", *arguments)
        assert ran.code == 2, (arguments, ran.out, ran.err)
        assert ran.err.startswith("error: ")
    assert acme.github.writes() == []
    assert PRODUCTION in acme.repository.git.run("ls-tree", "-r", "--name-only", "main")


def test_what_would_bring_the_version_back_is_closed(acme: Acme) -> None:
    bad = ("--image", f"{API}:sha-0000bad", "--environment", "staging")
    assert acme("bump", *bad, "--mode", "pull-request").code == 0
    (pull,) = acme.pulls()
    text = acme.read(STAGING)
    acme.repository.commit({STAGING: text.replace("sha-4be81c0", "sha-0000bad")})
    ran = acme("rollback", "--environment", "staging", "--why", "slow")
    assert ran.code == 0, ran.err
    assert acme.read(STAGING) == text
    assert f"#{pull.number} was closed: {API} sha-0000bad is held in staging" in ran.out
    assert pull.state == "closed"
