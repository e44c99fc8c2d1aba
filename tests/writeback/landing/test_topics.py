"""Branches, markers and messages that follow from what a proposal is about."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_bot.model.writeback import FileChange, Proposal
from gitops_bot.writeback.landing.commit_message import message_of, subject_of, topic_of, trailers_of
from gitops_bot.writeback.landing.topics import below, branch_of, key_of, marked, marker_of

TOPICS = st.one_of(
    st.text(min_size=1, max_size=40),
    st.lists(st.sampled_from(["a", "b", "a-b", "-", "--", ".", "..", "a.lock", "A", "~^:?*[\\"]), min_size=1, max_size=5).map("/".join),
)  # fmt: skip


def proposal(**named) -> Proposal:
    given = {"files": (FileChange(path="a", content=b""),), "subject": "s", "topic": "t"}
    return Proposal(**{**given, **named})


@pytest.mark.parametrize(
    ("topic", "branch"),
    [
        ("bump/staging/churn-api", "gitops-bot/bump--staging--churn-api"),
        ("promote/production", "gitops-bot/promote--production"),
        ("rollback/staging", "gitops-bot/rollback--staging"),
    ],
)
def test_a_topic_is_seen_in_its_branch(topic, branch):
    assert branch_of(topic) == branch


@pytest.mark.parametrize(
    "topic", ["x" * 500, "ghcr.io/acme/web:1.2@sha256", "a b", "..", "a/../b", "x.lock", "-x", "@{1}", "a\nb"]
)
def test_git_takes_the_branch_of_any_topic(topic):
    ended = subprocess.run(["git", "check-ref-format", "--branch", branch_of(topic)], capture_output=True, check=False)
    assert ended.returncode == 0, branch_of(topic)
    assert len(branch_of(topic)) < 150


@settings(max_examples=200)
@given(st.lists(TOPICS, min_size=2, max_size=2, unique=True))
def test_different_topics_have_different_branches_that_git_can_have_together(topics):
    one, other = (branch_of(topic) for topic in topics)
    assert one != other
    assert not other.startswith(f"{one}/")
    assert not one.startswith(f"{other}/")
    for part in (one, other):
        name = part.removeprefix("gitops-bot/")
        assert "/" not in name
        assert ".." not in name
        assert not name.startswith((".", "-"))
        assert not name.endswith((".", ".lock"))


@given(TOPICS, st.text(max_size=50), st.text(max_size=50))
def test_a_marker_is_read_back_and_changes_with_the_text(topic, title, body):
    marker = marker_of(marked(topic, title, body))
    assert marker.key == key_of(topic)
    assert marker_of(marked(topic, title, body)) == marker
    assert marker_of(marked(topic, title, f"{body}.")) != marker
    assert marker_of(marked(topic, f"{title}.", body)) != marker


def test_what_is_below_a_topic():
    marker = marker_of(marked("bump/staging/api/1.2.3", "", ""))
    assert below("bump/staging/api", marker)
    assert not below("bump/staging/ap", marker)
    assert not below("bump/staging/api/1.2.3", marker)
    assert not below("bump/staging/api", None)
    assert marker_of("by hand") is None


def test_a_message_is_subject_text_and_trailers():
    made = proposal(subject="one\nline ", message="web: 1 -> 2  \n\nhttps://ci.example.org/1\n", topic="bump/web",
                    trailers=(("Gitops-Bot-Run", "42\nSigned-off-by: x"),))  # fmt: skip
    assert message_of(made) == (
        "one line\n\nweb: 1 -> 2\n\nhttps://ci.example.org/1\n\n"
        "Gitops-Bot-Run: 42 Signed-off-by: x\nGitops-Bot-Topic: bump/web"
    )
    assert trailers_of(message_of(made)) == (
        ("Gitops-Bot-Run", "42 Signed-off-by: x"),
        ("Gitops-Bot-Topic", "bump/web"),
    )


@given(st.text(max_size=80), st.text(max_size=400), st.text(max_size=80), TOPICS)
def test_no_text_makes_a_trailer_of_its_own(subject, text, value, topic):
    message = message_of(proposal(subject=subject, message=text, trailers=(("Gitops-Bot-Run", value),), topic=topic))
    assert [name for name, _ in trailers_of(message)] == ["Gitops-Bot-Run", "Gitops-Bot-Topic"]
    headline, blank, *_ = message.split("\n")
    assert headline.strip()
    assert blank == ""
    assert len(headline) <= 250


def test_a_long_subject_is_cut_and_an_empty_one_is_none():
    assert len(subject_of(proposal(subject="x" * 1000))) == 250
    assert subject_of(proposal(subject="\n")) == "chore: write back"


@pytest.mark.parametrize(
    "message",
    ["", "subject", "Gitops-Bot-Topic: x", "s\n\nwords\nGitops-Bot-Topic: x", "s\n\nGitops-Bot-Topic: x\n\nmore"],
)
def test_a_message_without_our_trailer_is_not_ours(message):
    assert topic_of(message) == ""
