"""The door to GitHub: values, refusals in our words, where the token goes and where it never does."""

from __future__ import annotations

import base64
import importlib
import json
import logging
import subprocess
import sys
import traceback
from urllib.parse import quote

import pytest

from gitops_bot.doors.conceal import conceal, forms
from gitops_bot.doors.github import line as github_line
from gitops_bot.doors.github.api import GitHub
from gitops_bot.doors.github.auth import App, Token
from gitops_bot.doors.github.errors import AccessDenied, NotFound, TooLong, Unavailable, accepted_permissions
from gitops_bot.doors.github.pacing import Patience
from gitops_bot.errors import BotError, GitHubError, UsageError
from tests.github import faults
from tests.servers import Handler, Server, drips, gives, in_turn, redirects, running

CANARY = "ghs_CanaryTokenThatNobodyMaySee0123456789"
PULL = {
    "number": 7, "state": "open", "draft": None, "html_url": "https://github.com/acme/shop/pull/7", "user": None,
    "head": {"sha": "a" * 40, "ref": "change", "repo": None},
    "base": {"sha": "b" * 40, "ref": "main", "repo": {"full_name": "acme/shop"}},
}  # fmt: skip


def answers(value: object, status: int = 200, **headers: str):
    return gives(json.dumps(value).encode(), status, **headers)


def says(status: int, message: str, **headers: str):
    return answers({"message": message}, status, **headers)


class Waits:
    """Virtual time."""

    def __init__(self) -> None:
        self.all: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.all.append(seconds)

    def clock(self) -> float:
        return sum(self.all)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def door(server, waits):
    made = GitHub(
        api_url=server.url,
        repository="acme/shop",
        auth=Token(CANARY),
        wait=waits,
        clock=waits.clock,
        jitter=lambda: 0.5,
    )
    yield made
    made.close()


def door_of(github, auth=None, **named) -> GitHub:
    waits = Waits()
    return GitHub(
        api_url=named.pop("api_url", github.url), repository=named.pop("repository", "shop/apps"),
        auth=auth or Token(github.tokens.actions.value), wait=waits, clock=named.pop("clock", waits.clock), **named,
    )  # fmt: skip


@pytest.fixture
def pull(github):
    return github.open_pull(github.repository("shop/apps"), "change", files={"a.yaml": "a: 1\n"})


# -- values -----------------------------------------------------------------------------------------------------------


def test_a_pull_request_as_a_value(github, pull):
    read = door_of(github).pull(1)
    assert (read.number, read.state, read.head_sha, read.head_ref) == (1, "open", pull.head_sha, "change")
    assert (read.head_repository, read.base_sha, read.base_ref) == ("shop/apps", pull.base_sha, "main")
    assert (read.author, read.draft) == ("ada", False)
    assert read.url.endswith("/shop/apps/pull/1")


def test_a_fork_that_is_gone_and_a_user_that_is_gone(server, door):
    server.routes["/repos/acme/shop/pulls/7"] = answers(PULL)
    read = door.pull(7)
    assert (read.head_repository, read.author, read.draft) == ("", "", False)


def test_pull_requests_are_found_by_their_heads_repository_and_branch(github):
    repository = github.repository("shop/apps")
    github.open_pull(repository, "topic", files={"a": "1"})
    from_fork = github.open_pull(repository, "topic", from_fork="mallory", files={"a": "2"})
    github.open_pull(repository, "topic-2", from_fork="mallory", files={"a": "3"})
    closed = github.open_pull(repository, "gone", from_fork="mallory", files={"a": "4"})
    closed.state = "closed"
    door = door_of(github)
    assert [pull.number for pull in door.pulls_of_head("mallory/apps", "topic")] == [from_fork.number]
    assert [pull.number for pull in door.pulls_of_head("Mallory/Apps", "topic")] == [from_fork.number]
    assert [pull.number for pull in door.pulls_of_head("shop/apps", "topic")] == [1]
    assert door.pulls_of_head("mallory/other", "topic") == ()
    assert door.pulls_of_head("mallory/apps", "gone") == ()


def test_an_api_that_ignores_the_filter_does_not_hand_over_strangers(server, door):
    stranger = {**PULL, "head": {"sha": "c" * 40, "ref": "topic", "repo": {"full_name": "other/shop"}}}
    ours = {**PULL, "number": 8, "head": {"sha": "c" * 40, "ref": "töpic", "repo": {"full_name": "Mallory/shop"}}}
    server.routes["/repos/acme/shop/pulls"] = answers([stranger, ours, PULL])
    assert [pull.number for pull in door.pulls_of_head("mallory/shop", "töpic")] == [8]
    assert "head=mallory%3At%C3%B6pic" in server.paths()[0]


@pytest.mark.parametrize(
    ("token", "login"), [("actions", "github-actions[bot]"), ("app", "gitops-bot[bot]"), ("pat", "ada")]
)
def test_who_we_are(github, token, login):
    door = door_of(github, Token(getattr(github.tokens, token).value))
    assert door.login() == login
    assert door.login() == login
    assert door.requests == 1


@pytest.mark.parametrize(
    ("token", "viewer", "login"),
    [
        ("ghs_1", "github-actions", "github-actions[bot]"),
        ("ghs_1", "my-app", "my-app[bot]"),
        ("ghp_1", "github-actions", "github-actions[bot]"),
        # A person is never taken for the App of the same name.
        ("ghp_1", "my-app", "my-app"),
        ("github_pat_1", "my-app[bot]", "my-app[bot]"),
    ],
)
def test_bots_are_told_from_people(server, token, viewer, login):
    server.routes["/graphql"] = graphql({"data": {"viewer": {"login": viewer}}})
    assert GitHub(api_url=server.url, repository="a/b", auth=Token(token)).login() == login


def test_on_enterprise_graphql_lies_beside_rest(github, pull):
    door = door_of(github, api_url=github.enterprise_url)
    assert door.pull(1).number == 1
    assert door.login() == "github-actions[bot]"
    assert [one.request.target.partition("?")[0] for one in github.requests] == [
        "/api/v3/repos/shop/apps/pulls/1", "/api/graphql",
    ]  # fmt: skip


def test_all_pages_are_read_by_their_links(github, pull):
    for number in range(250):
        github.comment(1, f"{number}")
    door = door_of(github, api_url=github.enterprise_url)
    assert [comment.body for comment in door.comments(1)] == [f"{number}" for number in range(250)]
    assert door.requests == 3
    assert any("/repositories/" in one.path for one in github.requests), "pages are named by the repository's id"


def test_pages_do_not_count_in_the_budget(github, pull):
    for number in range(250):
        github.comment(1, f"{number}")
    door = door_of(github, patience=Patience(requests=1))
    assert len(list(door.comments(1))) == 250


def test_half_characters_do_not_break_a_comment(github, pull):
    made = door_of(github).create_comment(1, "a\ud800b", is_it=lambda _: False)
    assert made.body == "a?b"


def test_deleting_what_is_gone_is_done(github, pull):
    door_of(github).delete_comment(1)
    assert github.requests[-1].status == 404


def test_it_is_imported_only_when_something_is_asked():
    code = (
        "import gitops_bot.doors.github, sys; print([name for name in ('github', 'requests') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("route", "kind", "message", "hint"),
    [
        (says(401, "Bad credentials"), AccessDenied, "401: Bad credentials", "expired"),
        (says(403, "Resource not accessible by integration"), AccessDenied, "(403: Resource not", "pull-requests: read"),
        (says(403, "Resource not accessible by integration", X_Accepted_GitHub_Permissions="issues=write; pull_requests=write"),
         AccessDenied, "403", "needs the permission pull-requests: write or issues: write"),
        (says(403, "Unable to create comment because issue is locked."), AccessDenied, "locked", "unlock"),
        (says(403, "Resource protected by organization SAML enforcement."), AccessDenied, "SAML", "check what the token"),
        (gives(b"<html>Forbidden</html>", 403), AccessDenied, "(403)", "pull-requests: read"),
        (says(404, "Not Found"), NotFound, "404: Not Found", "the token lacks pull-requests: read"),
        (says(410, "Issues are disabled for this repo"), NotFound, "410", "check"),
        (says(418, "I'm a teapot"), GitHubError, "418: I'm a teapot", "githubstatus"),
        (says(407, ""), Unavailable, "407", "HTTPS_PROXY"),
        (gives(b"", 204), GitHubError, "not what its API promises", "GITHUB_API_URL"),
        (gives(b"<html>Log in to the hotel</html>", 200), GitHubError, "not what its API promises", "GITHUB_API_URL"),
        (answers({**PULL, "state": "merged"}), GitHubError, "not what its API promises", "GITHUB_API_URL"),
        (answers([[["message"]]], 400), GitHubError, "(400)", ""),
    ],
)  # fmt: skip
def test_refusals_say_what_where_and_what_next(server, door, waits, route, kind, message, hint):
    server.routes["/repos/acme/shop/pulls/7"] = route
    with pytest.raises(GitHubError) as caught:
        door.pull(7)
    assert type(caught.value) is kind
    assert "reading pull request acme/shop#7" in caught.value.message
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert waits.all == []
    assert caught.value.exit_code == 6


def test_a_refused_write_is_told_from_a_refused_reading(github, pull):
    github.faults.add("POST", "*comments", faults.refused(403, "Resource not accessible by integration"))
    with pytest.raises(AccessDenied) as caught:
        door_of(github).create_comment(1, "text", is_it=lambda _: False)
    assert caught.value.writing
    assert "pull-requests: write" in caught.value.hint


def test_too_long_is_a_refusal_of_its_own_and_other_422_are_not(github, pull):
    door = door_of(github)
    with pytest.raises(TooLong, match="65536"):
        door.create_comment(1, "x" * 65_537, is_it=lambda _: False)
    with pytest.raises(GitHubError) as caught:
        door.create_comment(1, "  ", is_it=lambda _: False)
    assert type(caught.value) is GitHubError
    assert door.creations == 0
    github.faults.add("PATCH", "*", faults.shorter_limit(3))
    made = door.create_comment(1, "text", is_it=lambda _: False)
    with pytest.raises(TooLong):
        door.edit_comment(made.id, "long")


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("", ""),
        ("pull_requests=read", "pull-requests: read"),
        ("issues=write; pull_requests=write", "pull-requests: write or issues: write"),
        ("contents=write,workflows=write; contents=write", "contents: write or contents: write and workflows: write"),
        ("allows_permissionless_access=true", ""),
        ("::error::x=write%0A", "x: write"),
    ],
)
def test_the_permissions_that_github_names(header, told):
    assert accepted_permissions({"x-accepted-github-permissions": header}) == told


def test_foreign_words_stay_on_one_line_and_short(server, door):
    server.routes["/repos/acme/shop/pulls/7"] = says(400, "a\r\n::add-mask::b\x1b[31m" + "c" * 5000)
    with pytest.raises(GitHubError) as caught:
        door.pull(7)
    assert len(caught.value.message) < 300
    assert caught.value.message.isprintable()


def graphql(*answers_in_turn: object):
    def route_of(value):
        def route(handler: Handler) -> None:
            handler.rfile.read(int(handler.headers["Content-Length"]))
            if callable(value):
                value(handler)
            else:
                handler.reply(200, json.dumps(value).encode())

        return route

    return in_turn(*(route_of(value) for value in answers_in_turn))


ME = {"data": {"viewer": {"login": "ada"}}}


@pytest.mark.parametrize(
    ("first", "waited"),
    [
        ({"data": None, "errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}, 60.5),
        ({"errors": [{"message": "You have exceeded a secondary rate limit."}]}, 60.5),
        ({"errors": [{"message": "Something went wrong while executing your query."}]}, 0.75),
        (gives(b"", 502), 0.75),
        (says(403, "You have exceeded a secondary rate limit", Retry_After="9"), 9),
    ],
)
def test_graphql_that_fails_for_now_is_asked_again(server, door, waits, first, waited):
    server.routes["/graphql"] = graphql(first, ME)
    assert door.login() == "ada[bot]"
    assert waits.all == [waited]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"type": "FORBIDDEN", "message": "Resource not accessible by integration"}, AccessDenied),
        (
            {"type": "INSUFFICIENT_SCOPES", "message": "Your token has not been granted the required scopes"},
            AccessDenied,
        ),
        ({"type": "NOT_FOUND", "message": "Could not resolve"}, NotFound),
        ({"type": "undefinedField", "message": "Field 'x' doesn't exist"}, GitHubError),
    ],
)
def test_graphql_errors_with_status_200_are_errors(server, door, error, kind):
    server.routes["/graphql"] = graphql({"data": None, "errors": [error]})
    with pytest.raises(kind, match=error["message"]):
        door.login()


# -- repeating --------------------------------------------------------------------------------------------------------


def test_reading_is_repeated_with_growing_pauses(server, door, waits):
    fails = gives(b"", 502)
    server.routes["/repos/acme/shop/pulls/7"] = in_turn(fails, fails, fails, answers(PULL))
    assert door.pull(7).number == 7
    assert waits.all == [0.75, 1.5, 3.0]
    assert door.waited == sum(waits.all)


def test_reading_ends_after_six_failures(server, door, waits):
    server.routes["/"] = gives(b"", 502)
    with pytest.raises(Unavailable, match=r"acme/shop#7: GitHub answered 502 \(6 attempts\)"):
        door.pull(7)
    assert len(server.seen) == 6


def test_a_post_is_not_repeated_when_reading_back_finds_it(github, pull):
    github.faults.add("POST", "*comments", faults.dropped(after_write=True))
    door = door_of(github)
    made = door.create_comment(1, "text", is_it=lambda comment: comment.body == "text")
    assert [comment.id for comment in github.comments(1)] == [made.id]
    assert [one.method for one in github.requests] == ["POST", "GET"]


def test_a_nearer_look_is_taken_before_a_write_is_repeated_after_a_long_wait(github, pull):
    class Over(Exception):
        pass

    def over() -> None:
        raise Over

    door = door_of(github)
    made = door.create_comment(1, "text", is_it=lambda _: False)
    github.faults.add("PATCH", "*", faults.too_many(60))
    with pytest.raises(Over):
        door.edit_comment(made.id, "other", before_repeat=over)
    github.faults.add("PATCH", "*", faults.server_error())
    door.edit_comment(made.id, "other", before_repeat=over)
    assert github.comments(1)[0].body == "other"


def test_ten_writes_go_at_once_and_from_there_on_they_are_a_second_apart(github, pull):
    waits = Waits()
    door = GitHub(
        api_url=github.url,
        repository="shop/apps",
        auth=Token(github.tokens.actions.value),
        patience=Patience(requests=100, creations=100),
        wait=waits,
        clock=waits.clock,
    )

    def write(count: int) -> list[float]:
        """How long each was waited for."""
        before = len(waits.all)
        for number in range(count):
            door.create_comment(1, f"{number}", is_it=lambda _: False)
        return waits.all[before:]

    assert write(10) == []
    door.pull(1)
    assert write(3) == [1.0, 1.0, 1.0]
    waits(4.5)
    assert write(6) == [0.5, 1.0]
    waits(3600)
    assert write(11) == [1.0]


def test_more_than_the_budget_is_a_mistake_of_ours_not_githubs(github, pull):
    door = door_of(github)
    for number in range(3):
        door.create_comment(1, f"{number}", is_it=lambda _: False)
    with pytest.raises(RuntimeError, match="3 that create"):
        door.create_comment(1, "4", is_it=lambda _: False)
    door = door_of(github)
    for _ in range(15):
        door.pull(1)
    with pytest.raises(RuntimeError, match="15 requests"):
        door.pull(1)
    assert len(github.comments(1)) == 3


def test_an_answer_that_is_cut_short_is_asked_for_again(server, door):
    def cut(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"number": 7')
        handler.close_connection = True

    server.routes["/repos/acme/shop/pulls/7"] = in_turn(cut, answers(PULL))
    assert door.pull(7).number == 7


def test_an_answer_that_never_ends_is_left(server, door, monkeypatch):
    import threading

    released = threading.Event()
    monkeypatch.setattr(github_line, "_TOTAL", 0.1)
    server.routes["/repos/acme/shop/pulls/7"] = in_turn(drips(released), answers(PULL))
    try:
        assert door.pull(7).number == 7
    finally:
        released.set()


def test_an_answer_that_is_too_large_is_left(server, door, monkeypatch):
    monkeypatch.setattr(github_line, "_LARGEST", 1000)
    server.routes["/"] = gives(b" " * 2000)
    with pytest.raises(Unavailable, match="no answer"):
        door.pull(7)


def test_202_does_not_make_us_ask_for_ever(server, door):
    server.routes["/"] = gives(b"{}", 202)
    with pytest.raises(Unavailable):
        door.pull(7)
    assert len(server.seen) == 6


def test_headers_that_make_no_sense_do_no_harm(server, door):
    odd = {
        "X_RateLimit_Remaining": "many",
        "X_RateLimit_Limit": "1e400",
        "X_RateLimit_Reset": "-",
        "Link": "nonsense; rel=next",
        "Date": "?",
    }
    server.routes["/repos/acme/shop/pulls/7"] = answers(PULL, **odd)
    assert door.pull(7).number == 7
    server.routes["/repos/acme/shop/issues/7/comments"] = answers([], **odd)
    assert list(door.comments(7)) == []


def test_a_refused_connection_is_told_in_words(waits):
    with running(Server()) as gone:
        url = gone.url
    door = GitHub(api_url=url, repository="a/b", auth=Token(CANARY), wait=waits, clock=waits.clock)
    with pytest.raises(Unavailable, match="the connection to GitHub's API was refused"):
        door.pull(7)


# -- where the token goes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_renamed_repository_is_followed_on_the_same_host(server, door, status):
    server.routes["/repos/acme/shop/pulls/7"] = redirects(f"{server.url}/repositories/5/pulls/7?x=1", status)
    server.routes["/repositories/5/pulls/7"] = answers(PULL)
    assert door.pull(7).number == 7
    assert server.paths()[-1] == "/repositories/5/pulls/7?x=1"


def test_a_redirected_write_is_written_once(server, door):
    got = []

    def moved(handler: Handler) -> None:
        handler.rfile.read(int(handler.headers["Content-Length"]))
        handler.reply(307, b"", {"Location": f"{server.url}/repositories/5/issues/7/comments"})

    def made(handler: Handler) -> None:
        got.append(json.loads(handler.rfile.read(int(handler.headers["Content-Length"]))))
        handler.reply(201, b'{"id": 1, "body": "text"}')

    server.routes["/repos/acme/shop/issues/7/comments"] = moved
    server.routes["/repositories/5/issues/7/comments"] = made
    assert door.create_comment(7, "text", is_it=lambda _: False).id == 1
    assert got == [{"body": "text"}]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("where", ["other", "localhost", "https", "userinfo", "//", "file"])
def test_no_redirect_takes_the_token_elsewhere(server, other_server, door, status, where):
    target = {
        "other": other_server.url, "localhost": server.url.replace("127.0.0.1", "localhost"),
        "https": server.url.replace("http:", "https:"), "userinfo": f"http://127.0.0.1@127.0.0.1:{other_server.port}",
        "//": f"//127.0.0.1:{other_server.port}", "file": "file:///etc",
    }[where]  # fmt: skip
    server.routes["/repos/acme/shop/pulls/7"] = redirects(f"{target}/steal", status)
    with pytest.raises(GitHubError, match="another place") as caught:
        door.pull(7)
    assert "GITHUB_API_URL" in caught.value.hint
    assert other_server.seen == []
    assert "/steal" not in server.paths()


def test_redirects_in_a_circle_end(server, door):
    server.routes["/"] = redirects(f"{server.url}/repos/acme/shop/pulls/7", 301)
    with pytest.raises(GitHubError, match="redirects"):
        door.pull(7)
    assert len(server.seen) == 4


def test_a_link_to_another_host_is_asked_of_our_own(server, other_server, door):
    link = f'<{other_server.url}/repos/acme/shop/issues/7/comments?page=2>; rel="next"'
    server.routes["/repos/acme/shop/issues/7/comments"] = in_turn(
        answers([{"id": 1, "body": None, "user": None}], Link=link), answers([{"id": 2}])
    )
    assert [comment.id for comment in door.comments(7)] == [1, 2]
    assert other_server.seen == []


def test_a_list_that_links_to_itself_ends(server, door):
    link = '</repos/acme/shop/issues/7/comments?page=2>; rel="prev", </repos/acme/shop/issues/7/comments?page=2>; rel="next"'
    server.routes["/repos/acme/shop/issues/7/comments"] = answers([{"id": 1}], Link=link)
    with pytest.raises(GitHubError, match="does not end"):
        list(door.comments(7))
    assert len(server.seen) <= 3


def test_a_list_without_end_ends(server, door):
    pages = iter(range(2, 1000))

    def page(handler: Handler) -> None:
        handler.reply(200, b"[]", {"Link": f'<{server.url}/repositories/1/x?page={next(pages)}>; rel="next"'})

    server.routes["/"] = page
    with pytest.raises(GitHubError, match="does not end after 100 pages"):
        list(door.comments(7))


def test_the_netrc_is_not_read(server, door, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login mallory password stolen\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    server.routes["/repos/acme/shop/pulls/7"] = answers(PULL)
    door.pull(7)
    assert server.seen[0].headers["authorization"] == f"token {CANARY}"
    assert server.seen[0].headers["user-agent"] == "gitops-bot"


def test_a_proxy_of_the_environment_is_used(server, monkeypatch, waits):
    monkeypatch.setenv("HTTP_PROXY", f"http://user:proxy-password@127.0.0.1:{server.port}")
    monkeypatch.setenv("http_proxy", f"http://user:proxy-password@127.0.0.1:{server.port}")
    server.routes["http://github.example.test:80/"] = answers(PULL)
    door = GitHub(api_url="http://github.example.test/api/v3", repository="acme/shop", auth=Token(CANARY), wait=waits)
    assert door.pull(7).number == 7
    assert server.paths() == ["http://github.example.test:80/api/v3/repos/acme/shop/pulls/7"]


def test_a_dead_proxy_is_named_without_its_password(monkeypatch, waits):
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://user:proxy-password@127.0.0.1:9")
    door = GitHub(
        api_url="https://github.example.test", repository="a/b", auth=Token(CANARY), wait=waits, clock=waits.clock
    )
    with pytest.raises(Unavailable, match="proxy") as caught:
        door.pull(7)
    assert "proxy-password" not in "".join(traceback.format_exception(caught.value))


AUTHORITIES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@pytest.mark.parametrize("variable", AUTHORITIES)
def test_own_authorities_are_taken_from_the_environment(tls_server, certificate, monkeypatch, variable):
    for name in AUTHORITIES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(certificate.certificate))
    tls_server.routes["/repos/acme/shop/pulls/7"] = answers(PULL)
    door = GitHub(api_url=tls_server.url, repository="acme/shop", auth=Token(CANARY))
    assert door.pull(7).number == 7
    door.close()


def test_an_unknown_certificate_is_refused_at_once_and_no_token_is_sent(tls_server, waits):
    door = GitHub(api_url=tls_server.url, repository="acme/shop", auth=Token(CANARY), wait=waits, clock=waits.clock)
    with pytest.raises(Unavailable, match="certificate") as caught:
        door.pull(7)
    assert "REQUESTS_CA_BUNDLE" in caught.value.hint
    assert (tls_server.seen, waits.all) == ([], [])


def test_a_missing_bundle_is_told(server, door, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    with pytest.raises(UsageError, match="REQUESTS_CA_BUNDLE"):
        door.pull(7)
    assert server.seen == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.github.com",
        "ftp://x",
        "https://user:pass-word@github.com",
        "https://",
        "https://a:b",
        "https://a?b=pass-word",
    ],
)
def test_impossible_api_urls_are_refused_without_being_repeated(url):
    with pytest.raises(UsageError) as caught:
        GitHub(api_url=url, repository="a/b", auth=Token("x"))
    assert "pass-word" not in caught.value.told


@pytest.mark.parametrize(
    "name", ["", "a", "a/b/c", "../b", "a/..", "a/.", "./a", "a/b?x", "a b/c", "a/b\n", "%2e/b", "a/" + "b" * 101]
)
def test_impossible_repositories_are_refused(name):
    with pytest.raises(UsageError):
        GitHub(api_url="https://api.github.com", repository=name, auth=Token("x"))


@pytest.mark.parametrize("token", ["", "  ", "a b", "a\nb", "tökén", "\x00"])
def test_impossible_tokens_are_refused_without_being_repeated(token):
    with pytest.raises(AccessDenied) as caught:
        GitHub(api_url="https://api.github.com", repository="a/b", auth=Token(token))
    assert "tökén" not in caught.value.told


def test_white_space_around_a_token_does_no_harm(server):
    server.routes["/repos/acme/shop/pulls/7"] = answers(PULL)
    GitHub(api_url=server.url, repository="acme/shop", auth=Token(f" {CANARY}\n")).pull(7)
    assert server.seen[0].headers["authorization"] == f"token {CANARY}"


# -- secrets ----------------------------------------------------------------------------------------------------------


def shown(error: BaseException) -> str:
    told = error.told if isinstance(error, BotError) else ""
    return "".join([*traceback.format_exception(error), repr(error), str(error), told])


ECHOES = [
    lambda secret: secret,
    lambda secret: quote(secret, safe=""),
    lambda secret: base64.b64encode(secret.encode()).decode(),
    lambda secret: base64.b64encode(f"x-access-token:{secret}".encode()).decode(),
    lambda secret: base64.b64encode(f"u:{secret}\n".encode()).decode(),
    lambda secret: base64.urlsafe_b64encode(f"12{secret}".encode()).decode(),
    lambda secret: f"https://x:{secret}@github.com/",
]


@pytest.mark.parametrize("echo", range(len(ECHOES)))
@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_a_server_repeats_of_the_token_is_not_repeated(server, door, echo, status, caplog):
    caplog.set_level(logging.DEBUG)
    server.routes["/"] = says(status, f"no: {ECHOES[echo](CANARY)}")
    with pytest.raises(GitHubError) as caught:
        door.pull(7)
    text = shown(caught.value) + caplog.text
    assert "no: " in text
    assert "***" in text
    for form in (CANARY, CANARY[4:], *forms(CANARY)):
        assert form not in text


def test_nothing_shows_a_secret_when_printed(github):
    app = App("12", github.app.private_key, 3)
    door = door_of(github, app)
    for value in (Token(CANARY), app, door):
        assert CANARY not in repr(value) + str(value) + f"{value!s}"
        assert github.app.private_key.splitlines()[2] not in repr(value) + str(value)


def test_what_libraries_say_of_a_lost_connection_is_not_repeated(server, waits):
    """It holds URLs and headers at times."""

    def hangs_up(handler: Handler) -> None:
        handler.close_connection = True

    server.routes["/"] = hangs_up
    door = GitHub(api_url=server.url, repository="a/b", auth=Token(CANARY), wait=waits, clock=waits.clock)
    with pytest.raises(Unavailable) as caught:
        door.pull(7)
    assert CANARY not in shown(caught.value)
    assert "urllib3" not in shown(caught.value)
    assert "another exception" not in shown(caught.value)


def test_forms_of_a_secret_are_found_in_base64_at_any_place():
    for before in range(7):
        for after in range(4):
            text = base64.b64encode(b"x" * before + CANARY.encode() + b"y" * after).decode()
            left = conceal(f"({text})", [CANARY])
            assert "***" in left
            assert len(left) < 20


def test_short_secrets_do_not_blot_out_everything():
    assert conceal("a good answer", ["a", ""]) == "a good answer"


# -- as an App --------------------------------------------------------------------------------------------------------


def app_of(github, **named) -> App:
    app = github.app
    return App(**{"app_id": str(app.id), "private_key": app.private_key, **named})


def escaped(key: str) -> str:
    return key.replace("\n", "\\n")


@pytest.mark.parametrize(
    "spelled",
    [
        str,
        str.strip,
        escaped,
        lambda key: key.replace("\n", "\r\n"),
        lambda key: "\n".join(f"   {line}" for line in key.splitlines()),
    ],
)
def test_an_app_reads_with_a_key_spelled_in_several_ways(github, pull, spelled):
    door = door_of(github, app_of(github, private_key=spelled(github.app.private_key)))
    assert door.pull(1).number == 1
    assert door.login() == "gitops-bot[bot]"
    assert [one.path for one in github.requests][:2] == [
        "/repos/shop/apps/installation", f"/app/installations/{github.app.installation_id}/access_tokens",
    ]  # fmt: skip


def test_an_app_may_name_itself_by_its_client_id(github, pull):
    assert door_of(github, app_of(github, app_id=github.app.client_id)).pull(1).number == 1


def test_a_token_is_made_for_this_repository_only_and_once(github, pull):
    door = door_of(github, app_of(github, installation_id=github.app.installation_id))
    door.pull(1)
    door.pull(1)
    asked = [one for one in github.requests if one.method == "POST"]
    assert len(asked) == 1
    assert asked[0].request.json() == {"repositories": ["apps"]}
    assert door.creations == 0


def test_an_apps_token_is_renewed_before_it_ends(github, pull):
    clock = [0.0]
    door = door_of(github, app_of(github), clock=lambda: clock[0])
    door.pull(1)
    first = door.token()
    clock[0] = 3000 + 1
    door.pull(1)
    assert door.token() != first
    assert {first, door.token()} <= set(door.secrets())


def test_every_made_secret_is_masked_before_it_is_used(github, pull):
    masked: list[str] = []
    unmasked: list[str] = []

    def look(request, proceed):
        secret = request.headers["authorization"].partition(" ")[2]
        if secret not in masked:
            unmasked.append(secret)
        return proceed()

    github.faults.add("*", "*", look, times=10)
    door = door_of(github, app_of(github), mask=masked.append)
    door.pull(1)
    assert len(github.requests) == 3
    assert unmasked == []
    assert set(masked) < set(door.secrets())
    assert github.app.private_key.strip() in [secret.strip() for secret in door.secrets()]
    assert door.token() in masked


def test_a_minted_token_is_in_no_log(github, pull, caplog):
    importlib.import_module("github")  # it sets a level when it is imported

    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "github.Requester")
    door = door_of(github, app_of(github))
    door.pull(1)
    assert "access_tokens" in caplog.text or "making a token" in caplog.text
    for secret in door.secrets():
        assert secret not in caplog.text
        assert secret.strip().splitlines()[-2 if "\n" in secret.strip() else 0] not in caplog.text


def test_making_a_token_survives_faults(github, pull):
    github.faults.add("GET", "*/installation", faults.server_error())
    github.faults.add("POST", "*/access_tokens", faults.dropped(after_write=True))
    assert door_of(github, app_of(github)).pull(1).number == 1


def other_key(kind: str) -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    key = (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        if kind == "rsa"
        else ec.generate_private_key(ec.SECP256R1())
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()  # fmt: skip


@pytest.mark.parametrize(
    ("named", "kind", "message", "hint"),
    [
        ({"private_key": other_key("rsa")}, AccessDenied, "401: A JSON web token could not be decoded", "the private key or the id"),
        ({"private_key": other_key("ec")}, AccessDenied, "cannot be used to sign", "RSA"),
        ({"app_id": "999"}, AccessDenied, "401", "the private key or the id is not that of App 999"),
        ({"installation_id": 1}, NotFound, "making a token of App", "app_installation_id"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_app_is_explained(github, pull, named, kind, message, hint):
    auth = app_of(github, **named)
    door = door_of(github, auth)
    with pytest.raises(GitHubError) as caught:
        door.pull(1)
    assert type(caught.value) is kind
    assert message in caught.value.message
    assert hint in caught.value.hint
    for line in auth.private_key.splitlines()[1:-1]:
        assert line not in shown(caught.value)


def test_an_app_that_is_not_installed_is_told_where(github):
    github.repository("shop/apps")  # the owner of the first one has the app
    github.repository("other/thing")
    door = door_of(github, app_of(github), repository="other/thing")
    with pytest.raises(NotFound, match="other/thing") as caught:
        door.pull(1)
    assert "install the App on other/thing" in caught.value.hint


def broken_key() -> str:
    lines = other_key("rsa").splitlines()
    return "\n".join([lines[0], lines[3], lines[-1]])


@pytest.mark.parametrize(
    "key", ["", "canary-no-key-at-all", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", broken_key()]
)
def test_a_key_that_is_none_is_told_without_it(key):
    with pytest.raises(AccessDenied) as caught:
        GitHub(api_url="http://127.0.0.1:9", repository="a/b", auth=App("1", key)).pull(1)
    assert "pem file" in caught.value.hint or ".pem" in caught.value.hint
    for line in key.splitlines():
        assert line.startswith("-----") or line not in shown(caught.value)


def test_an_app_id_that_is_none_is_told(github):
    for app_id in ("", "1 2", "ä", "../x"):
        with pytest.raises(AccessDenied, match="id"):
            door_of(github, app_of(github, app_id=app_id))
