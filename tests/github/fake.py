"""The fake GitHub as tests see it.

def test_it(github):                                                # the fixture of tests/github/plugin.py
    shop = github.repository("shop/apps", {"web.yaml": "replicas: 1\\n"})
    pull = github.open_pull(shop, "more", files={"web.yaml": "replicas: 2\\n"}, from_fork="stranger")
    github.comment(pull.number, "please explain", "ada")
    github.faults.add("POST", "*/comments", faults.server_error(after_write=True))
    ...                                                             # GITHUB_API_URL is github.url
    assert [one.body for one in github.comments(pull.number)] == [...]
    assert [one.status for one in github.writes()] == [502]
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from tests.github import graphql
from tests.github.exchange import DROPPED, Answer, Exchange, Refusal, Request
from tests.github.faults import Faults
from tests.github.judges.panel import Panel
from tests.github.routes import table
from tests.github.server import Dispatcher, GitHubServer, credentials
from tests.github.state import Comment, Pull, Repository, State
from tests.github.tokens import App, Token, Tokens

assert table.ROUTES, "the routes register themselves when they are imported"


class FakeGitHub:
    """A GitHub on one port of 127.0.0.1: REST (plain and under ``/api/v3``), GraphQL and Git over HTTP."""

    def __init__(self, server: GitHubServer, folder: Path, panel: Panel) -> None:
        self.state = State(folder, server.url)
        self.tokens = Tokens(self.state)
        self.faults = Faults()
        self.judges = panel

        self.private_git = True
        """Whether Git over HTTP asks for a token even where a repository is public."""
        self._exchanges: list[Exchange] = []
        self._lock = threading.Lock()
        self._dispatch = Dispatcher(self)
        self.crashes: list[BaseException] = []
        """What broke inside the fake itself; the fixture fails on any."""

    # -- where it is ---------------------------------------------------------------------------------------------------

    @property
    def server_url(self) -> str:
        """``GITHUB_SERVER_URL``."""
        return self.state.server_url

    @property
    def url(self) -> str:
        """The API's base as on github.com (``GITHUB_API_URL``)."""
        return self.server_url

    @property
    def enterprise_url(self) -> str:
        """The API's base as on GitHub Enterprise Server."""
        return f"{self.server_url}/api/v3"

    @property
    def app(self) -> App:
        """The app that is installed: ``id``, ``private_key``, ``installation_id``."""
        return self.tokens.app_of_tests

    # -- what tests set up ---------------------------------------------------------------------------------------------

    def repository(
        self, name: str = "shop/apps", files: Mapping[str, str | bytes | None] | None = None, *, private: bool = False
    ) -> Repository:
        """The repository ``owner/name``, made with these files on branch main when it is new.

        The owner of the first one is an organisation that has the app installed.
        """
        found = self.state.repositories.get(name.lower())
        if found is not None:
            return found
        made = self.state.add_repository(name, private=private)
        if len(self.state.repositories) == 1:
            made.owner.type = "Organization"
            self.app.account = made.owner
        made.commit(files if files is not None else {"README.md": f"# {name}\n"}, message="first")
        return made

    def open_pull(
        self,
        repo: Repository,
        head: str,
        base: str = "main",
        *,
        from_fork: str = "",
        files: Mapping[str, str | bytes | None] | None = None,
        title: str = "",
        author: str = "",
        draft: bool = False,
    ) -> Pull:
        """Open a pull request of branch ``head``, of the fork of a login when ``from_fork`` names one.

        ``files`` are committed on ``head``, which begins at ``base`` when it is new; without them it must be there.
        """
        source = repo
        if from_fork:
            name = f"{from_fork}/{repo.name}"
            source = self.state.repositories.get(name.lower()) or self.state.add_repository(name, fork_of=repo)
            source.git.bring(repo.git, f"refs/heads/{base}", f"refs/heads/{base}")
        if files is not None:
            source.commit(files, head, start=base)
        return table.open_pull(
            repo, source, head, base, title=title or f"Change {head}", body=None,
            author=self.state.account(author or from_fork or "ada"), draft=draft,
        )  # fmt: skip

    def merge(self, repo: Repository, pull: Pull, way: str = "merge", *, by: str = "ada") -> str:
        """Let somebody merge by the button; the commit that the base points to since."""
        answer = requests.put(
            f"{self.url}/repos/{repo.full_name}/pulls/{pull.number}/merge", json={"merge_method": way}, timeout=20,
            headers={"Authorization": f"Bearer {self.tokens.add('pat', by).value}"},
        )  # fmt: skip
        assert answer.ok, answer.text
        return repo.head(pull.base_ref)

    def comment(self, number: int, body: str, author: str = "ada", repo: Repository | None = None) -> Comment:
        """Let somebody comment."""
        return self.state.add_comment(repo or self._only(), number, body, self.state.account(author))

    def comments(self, number: int, repo: Repository | None = None) -> list[Comment]:
        """The comments of a pull request, oldest first; of the first repository unless another is named."""
        return (repo or self._only()).comments_of(number)

    def _only(self) -> Repository:
        return next(iter(self.state.repositories.values()))

    def advance(self, seconds: float) -> None:
        """Let GitHub's clock run ahead: tokens expire, limits reset."""
        self.state.ahead += seconds

    # -- what tests look at --------------------------------------------------------------------------------------------

    @property
    def requests(self) -> list[Exchange]:
        """What arrived so far, in the order of its answers: method, path, status, login, at (Unix time)."""
        with self._lock:
            return list(self._exchanges)

    def api_requests(self) -> list[Exchange]:
        """The same without Git's."""
        return [one for one in self.requests if not one.path.endswith(("/info/refs", "-pack"))]

    def writes(self) -> list[Exchange]:
        """The same, of those that are neither GET nor a GraphQL query."""
        return [one for one in self.api_requests() if one.method != "GET" and not graphql.is_query(one.request)]

    @property
    def events(self) -> list[dict[str, Any]]:
        """Webhooks that would have been sent."""
        return self.state.events

    # -- what the server calls -----------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Answer:
        """The answer to a request of the API, with the fault that is due; recorded."""
        due = self.faults.due(request)
        found = None if graphql.is_endpoint(request) else self._dispatch.route(request)
        login = ""

        def proceed() -> Answer:
            nonlocal login
            try:
                if graphql.is_endpoint(request):
                    with self._dispatch.lock:
                        given, login = graphql.answer(self, request)
                else:
                    given, login = self._dispatch(request, found)
            except Exception as error:  # noqa: BLE001  # a mistake of the fake's own: the fixture tells the test
                self.crashes.append(error)
                return Answer(500, {"message": f"the fake broke: {error!r}"})
            return given

        answer = proceed() if due is None else due[1](request, proceed)
        if answer.status != DROPPED:
            answer = Answer(answer.status, answer.body, {**self._limits(request), **answer.headers})
        route, parameters = found or (None, {})
        self.note(Exchange(request, answer, route, parameters, due[0] if due else "", login))
        return answer

    def _limits(self, request: Request) -> dict[str, str]:
        with self._lock:
            used = 1 + sum(
                one.request.headers.get("authorization") == request.headers.get("authorization")
                for one in self._exchanges
            )
        limit = 1000 if "authorization" in request.headers else 60
        resource = "graphql" if graphql.is_endpoint(request) else "core"
        return {
            "X-GitHub-Media-Type": "github.v3; format=json", "X-GitHub-Request-Id": f"FAKE:{used:X}",
            "X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(max(0, limit - used)),
            "X-RateLimit-Used": str(used), "X-RateLimit-Resource": resource,
            "X-RateLimit-Reset": str(int(time.time() + self.state.ahead) + 3600),
        }  # fmt: skip

    def note(self, exchange: Exchange) -> None:
        """Record an exchange."""
        with self._lock:
            self._exchanges.append(exchange)

    def refuses_git(self, request: Request, name: str, rest: str) -> tuple[Answer | None, Answer | None]:
        """Why a Git request is not served (None when it is), and what is answered instead once it was."""
        due = self.faults.due(request)
        if due is None:
            return self._not_git(request, name, rest), None
        served = False

        def proceed() -> Answer:
            nonlocal served
            served = True
            return Answer(200)

        answer = due[1](request, proceed)
        if answer.status != 200 and not served:
            return answer, None
        return self._not_git(request, name, rest), answer if answer.status != 200 else None

    def _not_git(self, request: Request, name: str, rest: str) -> Answer | None:
        asks = {"WWW-Authenticate": 'Basic realm="GitHub"', "Content-Type": "text/plain"}
        pushes = rest == "git-receive-pack" or "git-receive-pack" in request.query.get("service", "")
        try:
            token = self._git_token(request)
        except Refusal:
            return Answer(401, b"Bad credentials", asks)
        repository = self.state.repositories.get(name.lower())
        if token is None and (repository is None or repository.private or self.private_git or pushes):
            return Answer(401, b"Repository not found." if repository is None else b"No anonymous access.", asks)
        if repository is None or (token is not None and not token.may("contents:read")):
            return Answer(404, b"Repository not found.", {"Content-Type": "text/plain"})
        if pushes and token is not None and not token.may("contents:write"):
            return Answer(
                403, f"Permission to {name}.git denied to {token.login}.".encode(), {"Content-Type": "text/plain"}
            )
        repository.refresh()
        return None

    def _git_token(self, request: Request) -> Token | None:
        value = credentials(request.headers)
        return None if value is None else self.tokens.find(value)

    def pushed(self, name: str) -> None:
        """After a push: pull requests follow."""
        repository = self.state.repository(name)
        self.state.event("push", "", repository)
        repository.refresh()
