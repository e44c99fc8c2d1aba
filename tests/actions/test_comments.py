"""Commands in comments: what is one, who may give it, and which commit is meant; decided, and as a whole step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.actions.activity import CommentMade
from gitops_bot.actions.comments import Command, Do, Questions, React, Unknown, decide, not_seen, parse, sides_of
from gitops_bot.model.github import PullRequest, Pushed
from tests.actions.churn import BRANCH, Churn, checkout, churn
from tests.actions.here import Here

WRITTEN = datetime(2024, 5, 1, 12, 0, 0, tzinfo=UTC)
HEAD, OTHER = "a" * 40, "d" * 40
KNOWN = ("diff", "help")
ALL = ("diff", "promote", "rollback", "help")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("/gitops diff", Command("diff")),
        ("  /gitops   diff  \r\nplease", Command("diff")),
        ("/gitops help", Command("help")),
        ("/gitops promote production", Command("promote", "production")),
        ("/gitops rollback staging-eu.1", Command("rollback", "staging-eu.1")),
        ("/gitops", Unknown()),
        ("/gitops Diff", Unknown()),
        ("/gitops diff now", Unknown()),
        ("/gitops promote", Unknown()),
        ("/gitops promote production staging", Unknown()),
        ("/gitops promote --force", Unknown()),
        ("/gitops promote ../production", Unknown()),
        ("/gitops promote $(id)", Unknown()),
        ("/gitops rollback " + "x" * 64, Unknown()),
        ("/gitops help" + " " * 300 + "x", Unknown()),
        ("/gitopsdiff", None),
        ("/gitops-bot diff", None),
        ("try `/gitops diff`", None),
        ("> /gitops diff", None),
        ("please\n/gitops diff", None),
        ("\n/gitops diff", None),
        ("", None),
        ("LGTM", None),
    ],
)  # fmt: skip
def test_what_is_a_command(body, expected):
    assert parse(body) == expected


@given(st.text(max_size=300) | st.text(max_size=100).map(lambda text: f"/gitops {text}"))
def test_any_text_is_a_command_or_none(body):
    found = parse(body)
    if isinstance(found, Command):
        assert found.name in ALL
        assert not found.environment.startswith(("-", "."))
        assert body.split("\n")[0].strip().split() == [
            "/gitops",
            found.name,
            *([found.environment] * bool(found.environment)),
        ]


def comment(body: str = "/gitops diff", **more: Any) -> CommentMade:
    known = {"number": 7, "comment_id": 99, "author": "ada", "association": "MEMBER", "body": body,
             "created_at": "2024-05-01T12:00:00Z", "on_pull": True, "repository": "octo/shop"}  # fmt: skip
    return CommentMade(**(known | more))


def pull(**more: Any) -> PullRequest:
    known = {"number": 7, "state": "open", "head_sha": HEAD, "head_ref": "x", "head_repository": "octo/shop",
             "base_sha": "b" * 40, "base_ref": "main"}  # fmt: skip
    return PullRequest(**(known | more))


def push(after: str, seconds: int) -> Pushed:
    return Pushed(after=after, at=WRITTEN + timedelta(seconds=seconds))


def questions(found: PullRequest | None = None, pushes: Any = (), *, writers: tuple[str, ...] = ("ada",)) -> Questions:
    return Questions(
        may_write=lambda login: login in writers, pull=lambda _: found or pull(), pushes=lambda _repo, _branch: pushes
    )


def nobody(*_: Any) -> Any:
    raise AssertionError("nothing has to be asked")


@pytest.mark.parametrize(
    "made", [comment("LGTM"), comment(author="dependabot[bot]"), comment(author=""), comment("", on_pull=False)]
)
def test_what_is_not_for_us_asks_nothing_and_reacts_to_nothing(made):
    assert isinstance(decide(made, Questions(nobody, nobody, nobody), known=ALL), str)


@pytest.mark.parametrize(
    "made", [comment("/gitops dif"), comment("/gitops promote production"), comment(on_pull=False), comment("/gitops")]
)
def test_what_nobody_knows_gets_a_reaction_without_asking(made):
    found = decide(made, Questions(nobody, nobody, nobody), known=KNOWN)
    assert isinstance(found, React) and found.sign == "confused"


@pytest.mark.parametrize(
    "body", ["/gitops diff", "/gitops help", "/gitops promote production", "/gitops rollback staging"]
)
def test_only_who_may_write_commands(body):
    refused = decide(
        comment(body, author="eve", association="OWNER"), Questions(questions().may_write, nobody, nobody), known=ALL
    )
    assert isinstance(refused, React) and refused.sign == "-1"
    done = decide(comment(body), questions(), known=ALL)
    assert isinstance(done, Do) and done.pull.head_sha == HEAD


def test_a_closed_pull_request_takes_no_commands():
    found = decide(comment(), questions(pull(state="closed")), known=ALL)
    assert isinstance(found, React) and "closed" in found.reason


FORK = pull(head_repository="eve/shop")


@pytest.mark.parametrize(
    ("pushes", "done"),
    [
        ((push(HEAD, -1),), True),
        ((push(HEAD, -1), push(OTHER, -600)), True),
        ((push(OTHER, -600), push(HEAD, -1)), True),
        ((push(HEAD, 0),), False),
        ((push(HEAD, 1),), False),
        ((push(HEAD, 5), push(HEAD, -600)), False),
        ((push(OTHER, 5), push(HEAD, -600)), False),
        ((push(OTHER, -1), push(HEAD, -600)), False),
        ((push(OTHER, -1), push(HEAD, -1)), True),
        ((push(OTHER, 0), push(HEAD, 0)), False),
        ((), False),
        (None, False),
    ],
)  # fmt: skip
def test_a_fork_s_head_has_to_be_older_than_the_comment(pushes, done):
    found = decide(comment(), questions(FORK, pushes), known=ALL)
    assert isinstance(found, Do) is done
    assert done or (isinstance(found, React) and found.sign == "-1" and found.reason)
    # A branch of the repository itself is pushed to by those who may write, and help runs nothing of it.
    assert isinstance(decide(comment(repository="OCTO/Shop"), questions(pull(), pushes), known=ALL), Do)
    assert isinstance(decide(comment("/gitops help"), questions(FORK, pushes), known=ALL), Do)


def test_a_deleted_fork_is_not_trusted():
    assert isinstance(decide(comment(), questions(pull(head_repository="")), known=ALL), React)
    assert isinstance(decide(comment(repository=""), questions(pull(), None), known=ALL), React)


@given(st.lists(st.tuples(st.sampled_from([HEAD, OTHER]), st.integers(-5, 5)), max_size=6))
def test_a_head_counts_as_seen_only_if_it_was_the_tip_when_the_comment_was_written(history):
    pushes = [push(after, seconds) for after, seconds in history]
    if not_seen(HEAD, pushes, "2024-05-01T12:00:00Z") == "":
        before = [each for each in pushes if each.at < WRITTEN]
        assert before == pushes != []
        latest = max(each.at for each in pushes)
        assert HEAD in {each.after for each in pushes if each.at == latest}


def test_the_sides_are_the_pull_request_s():
    own = sides_of(pull(), "Octo/shop")
    assert (own.base, own.head, own.branch, own.pull, own.pull_head, own.scope) == ("b" * 40, HEAD, "main", 7, HEAD, "")
    assert sides_of(FORK, "octo/shop").scope == "eve/shop"


# -- the whole step ----------------------------------------------------------------------------------------------------


class Talk:
    """The example's pull request, where somebody comments."""

    def __init__(self, github: Any, example: Churn, here: Here) -> None:
        self.github, self.example, self.here = github, example, here

    def says(self, body: str, author: str = "ada") -> tuple[Any, Any]:
        """Comment and run the workflow that answers; the step and the comment."""
        number = self.example.pull.number
        made = self.github.comment(number, body, author, self.example.repository)
        return self.hears(made), made

    def hears(self, made: Any) -> Any:
        event = {
            "action": "created",
            "issue": {"number": made.number, "state": "open", "pull_request": {"url": "x"}},
            "comment": {"id": made.id, "user": {"login": made.author.login, "type": "User"}, "body": made.body,
                        "author_association": "NONE", "created_at": made.created_at},
            "repository": {"full_name": self.example.repository.full_name},
            "sender": {"login": made.author.login},
        }  # fmt: skip
        return self.here.step(event_name="issue_comment", event=event, token=self.github.tokens.actions.value,
                              env={"GITHUB_SHA": self.example.repository.head()})  # fmt: skip

    def ours(self) -> list[Any]:
        found = self.github.comments(self.example.pull.number, self.example.repository)
        return [each for each in found if each.author.login.endswith("[bot]")]


def signs(made: Any) -> list[str]:
    return [each["content"] for each in made.reactions]


def talk_on(github: Any, tmp_path: Any, fork: str = "") -> Talk:
    example = churn(github, fork=fork)
    example.repository.permissions.update(ada="write", bob="triage")
    here = Here(tmp_path / "runner", repository=example.repository.full_name, server_url=github.server_url,
                api_url=github.url)  # fmt: skip
    checkout(example.repository, here.workspace, "refs/heads/main")
    return Talk(github, example, here)


@pytest.fixture
def talk(github, tmp_path, helm) -> Talk:
    return talk_on(github, tmp_path)


def test_a_diff_that_is_asked_for_is_shown(talk):
    step, made = talk.says("/gitops diff")
    assert step.code == 0, step.stdout
    (answer,) = talk.ours()
    assert "3 to change" in answer.body or "to change" in answer.body
    assert step.outputs["comment_url"].endswith(str(answer.id))
    assert step.outputs["changed"] == "true"
    assert signs(made) == ["+1"]


def test_help_is_one_comment_however_often(talk):
    for _ in range(2):
        step, made = talk.says("/gitops help")
        assert step.code == 0, step.stdout
        assert signs(made) == ["+1"]
    (answer,) = talk.ours()
    assert "`/gitops diff`" in answer.body
    assert "`/gitops promote ENVIRONMENT`" in answer.body


@pytest.mark.parametrize(
    ("body", "author", "sign"),
    [("/gitops diff", "eve", "-1"), ("/gitops help", "bob", "-1"), ("/gitops dance", "ada", "confused"),
     ("/gitops promote nowhere now", "ada", "confused")],
)  # fmt: skip
def test_who_may_not_and_what_is_none_gets_a_reaction_and_no_words(talk, body, author, sign):
    step, made = talk.says(body, author)
    assert step.code == 0, step.stdout
    assert signs(made) == [sign]
    assert talk.ours() == []
    assert len(talk.github.writes()) == 1


def test_other_comments_are_left_alone(talk):
    asked = len(talk.github.api_requests())
    step, made = talk.says("LGTM, /gitops diff looks right")
    assert step.code == 0, step.stdout
    assert signs(made) == []
    assert len(talk.github.api_requests()) == asked


def test_on_a_fork_only_the_head_that_could_be_seen(github, tmp_path, helm):
    talk = talk_on(github, tmp_path, fork="mallory")
    github.advance(60)
    step, made = talk.says("/gitops diff")
    assert step.code == 0, step.stdout
    assert signs(made) == ["+1"]
    assert len(talk.ours()) == 1
    # Written now, read by the runner after another push: the commit's own date is whatever its author wants.
    github.advance(60)
    late = github.comment(talk.example.pull.number, "/gitops diff", "ada", talk.example.repository)
    github.advance(60)
    source = talk.example.pull.head_repository
    source.commit({"docs/evil.md": "x\n"}, BRANCH)
    before = talk.ours()[0].body
    step = talk.hears(late)
    assert step.code == 0, step.stdout
    assert signs(late) == ["-1"]
    assert "after the comment" in step.stdout
    assert [each.body for each in talk.ours()] == [before]


def test_a_reaction_that_is_refused_stops_nothing(talk):
    from tests.github import faults

    talk.github.faults.add("POST", "/repos/*/*/issues/comments/*/reactions", faults.refused(403, "no"))
    step, made = talk.says("/gitops diff")
    assert step.code == 0, step.stdout
    assert signs(made) == [] and len(talk.ours()) == 1
