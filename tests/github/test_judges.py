"""Each judge sits, and notices a lie that is planted for it; the routes are those of GitHub."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
import requests

from tests.github.exchange import Answer, Exchange
from tests.github.fake import FakeGitHub
from tests.github.judges import place
from tests.github.judges.panel import Panel
from tests.github.plugin import settle
from tests.github.routing import ROUTES


@pytest.fixture(autouse=True)
def _seated(judges: Panel) -> None:
    if not judges.there:
        pytest.skip(place.INSTALL)


def ask(github: FakeGitHub, method: str, path: str, body: Any = None) -> Exchange:
    """One real exchange."""
    header = {"Authorization": f"Bearer {github.tokens.actions.value}"}
    requests.request(method, github.url + path, json=body, headers=header, timeout=30)
    return github.requests[-1]


def comment(github: FakeGitHub) -> Exchange:
    """A comment is made: a true exchange to plant lies in."""
    github.open_pull(github.repository(), "more", files={"a.yaml": "a: 1\n"})
    return ask(github, "POST", "/repos/shop/apps/issues/1/comments", {"body": "text"})


def answering(exchange: Exchange, **changes: Any) -> Exchange:
    """The same with other fields in its answer; None of `...` takes one out."""
    body = {**exchange.answer.body, **changes}
    body = {name: value for name, value in body.items() if value is not ...}
    return dataclasses.replace(exchange, answer=Answer(exchange.status, body))


def asking(exchange: Exchange, **changes: Any) -> Exchange:
    """The same with another request."""
    return dataclasses.replace(exchange, request=dataclasses.replace(exchange.request, **changes))


def test_a_true_exchange_is_left_alone(github: FakeGitHub, judges: Panel) -> None:
    assert judges.complaints([comment(github)]) == []


@pytest.mark.hostile_github("the refused exchange is what is tested")
def test_a_test_whose_exchange_is_refused_fails(github: FakeGitHub) -> None:
    github.repository()
    settle(github)
    ask(github, "GET", "/repos/shop/apps/pulls?colour=red")
    with pytest.raises(pytest.fail.Exception, match=r"GET /repos/shop/apps/pulls\?colour=red -> 200: .* colour"):
        settle(github)


def test_openapi_notices_a_field_of_the_wrong_type(github: FakeGitHub, judges: Panel) -> None:
    said = judges.complaints([answering(comment(github), id="17")])
    assert any("answer: $.id '17' is not of type 'integer'" in one for one in said)


def test_openapi_notices_a_missing_field(github: FakeGitHub, judges: Panel) -> None:
    said = judges.complaints([answering(comment(github), updated_at=...)])
    assert any("'updated_at' is a required property" in one for one in said)


def test_openapi_notices_a_wrong_value_deep_inside(github: FakeGitHub, judges: Panel) -> None:
    true = comment(github)
    said = judges.complaints([answering(true, user={**true.answer.body["user"], "site_admin": "no"})])
    assert any("$.user" in one for one in said)


def test_openapi_notices_a_status_that_github_does_not_give(github: FakeGitHub, judges: Panel) -> None:
    true = comment(github)
    assert judges.complaints([dataclasses.replace(true, answer=Answer(206, true.answer.body))])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"body": 7}, "request: $.body 7 is not of type 'string'"),
        ({"text": "a"}, "'body' is a required property"),
        ({"body": "a", "colour": "red"}, "GitHub knows no field colour"),
        (None, "the body is missing"),
    ],
)
def test_openapi_notices_what_a_request_says_wrong(github: FakeGitHub, judges: Panel, body: Any, said: str) -> None:
    content = b"" if body is None else json.dumps(body).encode()
    assert any(said in one for one in judges.complaints([asking(comment(github), body=content)]))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?colour=red", "GitHub knows no parameter colour"),
        ("?state=new", "'new' is not one of"),
        ("?page=x", "not of type"),
    ],
)
@pytest.mark.hostile_github("the requests are wrong on purpose")
def test_openapi_notices_parameters_that_github_does_not_have(
    github: FakeGitHub, judges: Panel, query: str, said: str
) -> None:
    github.repository()
    true = ask(github, "GET", "/repos/shop/apps/pulls")
    wrong = asking(true, target=true.request.target + query)
    assert any(said in one for one in judges.complaints([wrong]))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/repos/shop/apps/wishes", "GitHub has no such operation"),
        ("/repos/shop/apps/milestones", "the fake does not serve GET /repos/{owner}/{repo}/milestones yet"),
    ],
)
@pytest.mark.hostile_github("the paths are wrong on purpose")
def test_a_path_that_nobody_serves_is_told_from_one_the_fake_lacks(
    github: FakeGitHub, judges: Panel, path: str, said: str
) -> None:
    github.repository()
    assert [said] == [one.rpartition(": ")[2] for one in judges.complaints([ask(github, "GET", path)])]


@pytest.mark.parametrize(
    ("query", "variables", "said"),
    [
        ("query { viewer { nickname } }", {}, "Cannot query field 'nickname' on type 'User'"),
        ("query { viewer { login ", {}, "Syntax Error"),
        ("mutation($id: ID!) { minimizeComment(input: {subjectId: $id}) { clientMutationId } }", {"id": "x"}, "classifier"),
        ("query($n: Int!) { repository(owner: \"a\", name: \"b\") { pullRequest(number: $n) { id } } }", {"n": "1"}, "$n"),
        ("query { viewer { login } }", {"unused": 1}, "it has no variable unused"),
    ],
)  # fmt: skip
@pytest.mark.hostile_github("the queries are wrong on purpose")
def test_the_schema_notices_a_wrong_query(
    github: FakeGitHub, judges: Panel, query: str, variables: dict[str, Any], said: str
) -> None:
    github.repository()
    wrong = ask(github, "POST", "/graphql", {"query": query, "variables": variables})
    complaints = judges.complaints([wrong])
    assert any(said in one for one in complaints), complaints


@pytest.mark.parametrize(
    ("viewer", "said"),
    [({"login": 7}, "data.viewer.login"), ({}, "data.viewer.login is missing"), ({"login": None}, "may not be null")],
)
def test_the_schema_notices_a_wrong_answer(github: FakeGitHub, judges: Panel, viewer: Any, said: str) -> None:
    github.repository()
    true = ask(github, "POST", "/graphql", {"query": "query { viewer { login } }"})
    assert judges.complaints([true]) == []
    assert any(said in one for one in judges.complaints([answering(true, data={"viewer": viewer})]))


def test_recorded_traffic_notices_a_missing_key(github: FakeGitHub, judges: Panel) -> None:
    """A key that GitHub's description does not ask for, but that GitHub always gives."""
    said = judges.complaints([answering(comment(github), reactions=...)])
    assert len(said) == 1
    assert "recorded 20" in said[0]
    assert said[0].endswith("$.reactions is missing")


def test_recorded_traffic_notices_another_type(github: FakeGitHub, judges: Panel) -> None:
    said = judges.complaints([answering(comment(github), author_association=7)])
    assert any("$.author_association is number, GitHub's was string" in one for one in said)


def test_every_route_of_the_fake_is_one_of_github_s(judges: Panel) -> None:
    from tests.github.judges.openapi import _ALIASES, OpenApiJudge

    judge = next(one for one in judges.judges if isinstance(one, OpenApiJudge))
    served = {f"{one.method} {one.template}" for one in ROUTES}
    assert served - set(judge.operations) == set(_ALIASES)


def test_most_routes_of_the_fake_are_held_to_recorded_answers(judges: Panel) -> None:
    """Which ones are not is written here, so that a wrong reading of the recordings shows."""
    from tests.github.judges.recorded import RecordedJudge

    judge = next(one for one in judges.judges if isinstance(one, RecordedJudge))
    known = {key.rpartition(" ")[0] for key in judge.learnt}
    unknown = {f"{one.method} {one.template}" for one in ROUTES if one.method != "DELETE"} - known
    assert unknown == {"GET /repos/{owner}/{repo}/branches", "GET /repos/{owner}/{repo}/commits/{ref}/statuses",
                       "POST /repos/{owner}/{repo}/dispatches", "GET /repos/{owner}/{repo}/activity"}  # fmt: skip
    assert len([key for key, one in judge.learnt.items() if one["year"] >= 2023]) > 25
