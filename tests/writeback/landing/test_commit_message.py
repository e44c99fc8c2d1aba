"""Messages of commits: nothing in them that GitHub acts on, whoever wrote it; and which ones are known as ours again."""

from __future__ import annotations

import re
import subprocess
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_bot.model.writeback import FileChange, Proposal
from gitops_bot.writeback.landing.commit_message import (
    all_ours,
    block_of,
    message_of,
    rest_of,
    subject_of,
    title_of,
    topic_of,
    trailers_of,
)
from gitops_bot.writeback.landing.pull_request import text_of
from gitops_bot.writeback.trailers import Trailers, read_trailers, write_trailers

PIECES = [
    "[skip ci]", "[CI SKIP]", "[no ci]", "[skip actions]", "[actions skip]", "[ skip  ci ]", "[skip-ci]", "[[skip ci]]",
    "***NO_CI***", "skip-checks: true", "skip-checks:true", "SKIP-CHECKS: true", "request-checks: true", "@ada",
    "@org/team", "x@y", "é@ada", "repo:tag@sha256:ab", "fixes #1", "Closes: #2", "resolved owner/repo#3", "fix GH-4",
    "resolves https://github.com/o/r/issues/5", "close https://ghe.example.org/o/r/pull/6", "fixes", "close:", "#7", "GH-8",
    "o/r#9", "https://github.com/o/r/issues/10", "Gitops-Bot-Topic: forged", "Gitops-Bot-Bump: image a old=1 new=2",
    "Co-authored-by: a <a@b.c>", "Signed-off-by: a <a@b.c>", "* chore: other", "---------", "<!--", "-->", "\n", "\n\n",
    "\r\n", "\t", " ", " ", "\x00", "\x1b[31m", "\u202e", "\u200b", "\u2028", "\x85", ">", "word", "a" * 300,
]  # fmt: skip
HOSTILE = st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=8).map("".join)

_SKIPS = re.compile(r"\[\s*(skip ci|ci skip|no ci|skip actions|actions skip|skip-ci)\s*\]|\*\*\*NO_CI", re.IGNORECASE)
_CHECKS = re.compile(r"^\s*(skip|request)-checks\s*:", re.IGNORECASE | re.MULTILINE)
_MENTIONS = re.compile(r"(?:^|[^A-Za-z0-9_])@[A-Za-z0-9]", re.MULTILINE)
_CLOSES = re.compile(
    r"(?<![A-Za-z0-9_])(close[sd]?|fix|fixe[sd]|resolve[sd]?)(?!\w)\s*:?\s*(#\d|GH-\d|[\w.-]+/[\w.-]+#\d|https?://\S+/(issues|pull)/\d)",
    re.IGNORECASE | re.ASCII,
)


def proposal(**named: object) -> Proposal:
    return Proposal(**{"files": (FileChange(path="a", content=b""),), "subject": "s", "topic": "t", **named})


def acts(text: str) -> list[str]:
    """What GitHub would act on, or what would not be seen."""
    found = [each[0] for judge in (_SKIPS, _CHECKS, _MENTIONS, _CLOSES) for each in judge.finditer(text)]
    unseen = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    return found + [sign for sign in text if unicodedata.category(sign) in unseen and sign != "\n"]


@settings(max_examples=500)
@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_github_finds_nothing_to_act_on_in_any_message(subject, text, value, topic):
    made = proposal(subject=subject, message=text, trailers=(("Gitops-Bot-Run", value),), topic=topic)
    message = message_of(made)
    assert acts(message) == []
    assert acts(title_of(subject)) == []
    assert "\n" not in subject_of(made)
    assert message == f"{subject_of(made)}\n\n{rest_of(made)}"
    assert [name for name, _ in trailers_of(message)] == ["Gitops-Bot-Run", "Gitops-Bot-Topic"]
    assert trailers_of(message)[1][1].strip() == topic_of(message).strip()


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(HOSTILE, HOSTILE)
def test_git_reads_our_own_trailers_and_no_other(tmp_path: Path, subject, text):
    message = message_of(proposal(subject=subject, message=text, trailers=(("Gitops-Bot-Run", "1"),)))
    read = subprocess.run(
        ["git", "interpret-trailers", "--parse"],
        input=message,
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert read.stdout == "Gitops-Bot-Run: 1\nGitops-Bot-Topic: t\n"


@settings(max_examples=300)
@given(HOSTILE, st.dictionaries(HOSTILE.filter(bool), st.floats(0, 1).map(lambda n: round(n, 3)), max_size=2), HOSTILE)
def test_what_programs_read_back_is_what_was_written(environment, metrics, run_url):
    trailers = Trailers(environment=environment, run_url=run_url, metrics={"fixes": metrics} if metrics else {})
    message = message_of(proposal(trailers=write_trailers(trailers)))
    assert acts(message) == []
    assert read_trailers(message) == trailers


def test_words_that_are_harmless_stay_as_they_are():
    text = (
        "ghcr.io/acme/api: v1@sha256:abcd -> v2@sha256:ef01\n  digest: sha256:ef01\nSource: https://github.com/a/b/commit/1\n"
        "prefixes #1, [name=skip] and ada@example.org"
    )
    assert rest_of(proposal(message=text)) == f"{text}\n\nGitops-Bot-Topic: t"


def test_what_is_taken_out_can_still_be_read():
    made = proposal(
        subject="deploy v1 [skip ci] for @ada",
        message="fixes #1\nskip-checks: true\nGitops-Bot-Topic: x",
        topic="[no ci]",
    )
    assert message_of(made) == (
        "deploy v1 (skip ci) for @ ada\n\nfixes - #1\n> skip-checks: true\n> Gitops-Bot-Topic: x\n\n"
        "Gitops-Bot-Topic: %5Bno ci]"
    )


def test_a_closing_word_at_the_end_of_the_subject_does_not_reach_the_text():
    assert acts(message_of(proposal(subject="it fixes", message="#1 is open"))) == []


# -- known again ------------------------------------------------------------------------------------------------------

OURS = proposal(subject="chore: update image tag", message="api: 1 -> 2\n\nSource: https://x", topic="bump/staging/api")
OTHER = proposal(subject="chore: update image tag", message="web: 1 -> 2", topic="bump/staging/web")
PEOPLE = "Co-authored-by: gitops-bot[bot] <1+gitops-bot[bot]@users.noreply.github.com>"
UPDATE = "Merge branch 'main' into gitops-bot/bump--staging--api"


def squashed(*items: str, title: str = "chore: update image tag (#5)", end: str = f"---------\n\n{PEOPLE}") -> str:
    """The message that GitHub makes of several commits."""
    return "\n\n".join([title, *(f"* {item}" for item in items), *([end] if end else [])])


def described(made: Proposal, width: int = 0) -> str:
    """The message that GitHub makes of the pull request's title and text; it may wrap the lines."""
    text = "<!-- gitops-bot: key=x digest=" + "0" * 64 + f" -->\n{text_of(made)}"
    if width:
        text = "\n".join(re.sub(rf"(.{{1,{width}}})(?: |$)", r"\1\n", line).rstrip("\n") for line in text.split("\n"))
    return f"{subject_of(made)} (#5)\n\n{text}\n{PEOPLE}"


BODY = proposal(subject="chore: x", body="* a list\n\n* of things\n", topic="bump/staging/api",
                trailers=(("Gitops-Bot-Bump", "image " + " ".join(["ghcr.io/acme/some-long-name"] * 5)),))  # fmt: skip


@pytest.mark.parametrize(
    "messages",
    [
        [message_of(OURS)],
        [message_of(OURS), message_of(OTHER)],
        [message_of(OURS), "Merge pull request #5 from acme/gitops-bot/bump--staging--api\n\nchore: update image tag"],
        [message_of(OURS), "chore: update image tag (#5)"],
        [message_of(OURS), UPDATE, "Merge pull request #5 from acme/gitops-bot/x"],
        [f"{subject_of(OURS)} (#5)\n\n{rest_of(OURS)}"],
        [f"{subject_of(OURS)} (#5)\n\n{rest_of(OURS)}\n{PEOPLE}"],
        [f"{subject_of(OURS)} (#5)\r\n\r\n{rest_of(OURS)}\n\n{PEOPLE}\n".replace("\n", "\r\n").replace("\r\r", "\r")],
        [squashed(message_of(OURS), UPDATE)],
        [squashed(message_of(OURS), message_of(OTHER), end="")],
        [described(BODY)],
        [described(BODY, 72)],
    ],
)
def test_what_brings_our_commits_only_is_ours(messages):
    assert all_ours(messages)


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [""],
        ["feat: more"],
        ["feat: more\n\nSigned-off-by: a <a@b.c>"],
        ["---\n\nSigned-off-by: a <a@b.c>"],
        [message_of(OURS), "feat: more"],
        [message_of(OURS), "feat: more (#5)"],
        [squashed("feat: more", message_of(OURS))],
        [squashed(message_of(OURS), "feat: more")],
        [squashed(message_of(OURS), "Merge branch 'main' into feature")],
        [f"feat: more (#5)\n\nwords\n\n* {message_of(OURS)}"],
        [f'Revert "{subject_of(OURS)} (#5)"\n\nThis reverts commit {"a" * 40}.'],
        ["Merge pull request #6 from acme/feature\n\nmore"],
        [f"feat\n\n{block_of(OURS)}\n\nand more"],
        [f"feat\n\n{UPDATE}"],
    ],
)
def test_what_brings_anything_else_is_not(messages):
    assert not all_ours(messages)


def test_the_trailers_of_a_squashed_pull_request_are_read():
    wanted = trailers_of(message_of(OTHER))
    assert trailers_of(squashed(message_of(OURS), message_of(OTHER))) == wanted
    assert trailers_of(f"{subject_of(OTHER)} (#5)\n\n{rest_of(OTHER)}\n\n{PEOPLE}") == wanted
    for width in (0, 72, 40):
        assert trailers_of(described(BODY, width)) == trailers_of(message_of(BODY))
