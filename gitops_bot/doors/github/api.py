"""The one door to GitHub's API: with a token or as a GitHub App; the calls of other subjects are in modules beside it.

PyGithub speaks HTTP and signs; when a request is repeated and how long is waited is decided in ``pacing``, because
PyGithub's own policy repeats a POST that was done (two comments) and never a PATCH. It is imported here only, and only
when something is asked (360 ms). Tokens and keys are in no message, ``repr``, log line or chained exception.
"""

from __future__ import annotations

import itertools
import logging
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from gitops_bot.doors.conceal import conceal
from gitops_bot.doors.github import values
from gitops_bot.doors.github.auth import App, Token, checked, pem
from gitops_bot.doors.github.calls import LONG_WAIT, Call, Caller, origin_of
from gitops_bot.doors.github.errors import AccessDenied, NotFound, Unavailable
from gitops_bot.doors.github.line import IDLE, Line, bundle, in_words
from gitops_bot.doors.github.pacing import Heard, Patience
from gitops_bot.errors import GitHubError, UsageError
from gitops_bot.model.github import IssueComment, PullRequest

if TYPE_CHECKING:
    from github.Requester import Requester

_NAME = re.compile(r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]{1,100}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
_NEXT = re.compile(r'<([^>]*)>[^,]*;\s*rel="?next"?')
_MOST_PAGES = 100
_TOKEN_LIVES = 50 * 60.0
"""Seconds an installation token is used; GitHub lets it live an hour."""
_READ = "pull-requests: read"
_WRITE = "pull-requests: write"

Made = TypeVar("Made")


class GitHub:
    """One repository's API for one run and one thread. Every method raises GitHubError."""

    def __init__(
        self,
        *,
        api_url: str,
        repository: str,
        auth: Token | App,
        patience: Patience | None = None,
        wait: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
        mask: Callable[[str], None] | None = None,
    ) -> None:
        """Take where the API is (``https://api.github.com``, on an Enterprise Server ``https://host/api/v3``).

        ``repository`` is ``owner/name``. ``mask`` is called with every secret that is made here, before its first use;
        None: nobody needs to know. The rest is the outside: sleeping, time, chance (in [0, 1)).
        Raises UsageError for a URL or repository that cannot be, AccessDenied for a token or key that cannot be.
        """
        origin = origin_of(api_url)
        if not origin or "@" in api_url or "?" in api_url or "#" in api_url:
            raise UsageError("the API's URL is none", hint="write GITHUB_API_URL like https://api.github.com")
        if not _NAME.fullmatch(repository):
            raise UsageError(f"{repository[:120]!r} is no repository", hint="write it as owner/name")
        self.repository = repository
        self._auth = checked(auth)
        self._key = pem(auth.private_key) if isinstance(auth, App) else ""
        self._mask = mask or (lambda _: None)
        self._clock = clock
        self._token = self._auth.value if isinstance(self._auth, Token) else ""
        self._minted_at: float | None = None
        self._jwt = ""
        self._made: list[str] = []
        self._login = ""
        self._wire = _Wire(api_url.rstrip("/"))
        self._caller = Caller(
            self._send,
            origin,
            patience or Patience(),
            wait=wait,
            clock=clock,
            now=time.time,
            jitter=jitter,
            hide=self._hide,
        )

    # -- who we are ---------------------------------------------------------------------------------------------------

    @property
    def requests(self) -> int:
        """Requests made so far, all of them."""
        return self._caller.requests

    @property
    def creations(self) -> int:
        """Requests made so far that create content."""
        return self._caller.creations

    @property
    def waited(self) -> float:
        """Seconds waited so far."""
        return self._caller.waited

    def secrets(self) -> tuple[str, ...]:
        """Everything that must be masked where our output goes: given and made so far. A key has several lines."""
        given = (self._auth.value,) if isinstance(self._auth, Token) else (self._auth.private_key, self._key)
        return tuple(dict.fromkeys((*given, *self._made)))

    def token(self) -> str:
        """The token that requests go out with, made first when we are an App; for Git's fetches. A secret."""
        self._ready()
        return self._token

    def login(self) -> str:
        """Our own login as it stands at our comments: ``github-actions[bot]`` for a workflow's own token.

        ``GET /user`` refuses installation tokens, GraphQL's viewer does not. GraphQL leaves ``[bot]`` out in places
        where REST has it; every installation token (``ghs_…``) acts as a bot.
        """
        if not self._login:
            doing = "the question who the token belongs to"
            call = self.graphql("{ viewer { login } }", {}, doing, harmless=True)
            login = values.read(self.ask(call), values.Whoami, doing).data.viewer.login
            bot = isinstance(self._auth, App) or self._token.startswith("ghs_") or login == "github-actions"
            self._login = f"{login}[bot]" if bot and not login.endswith("[bot]") else login
        return self._login

    # -- pull requests ------------------------------------------------------------------------------------------------

    def pull(self, number: int) -> PullRequest:
        """A pull request as it is now."""
        doing = f"reading pull request {self.repository}#{number}"
        heard = self.ask(Call("GET", f"{self.path}/pulls/{number:d}", doing, needs=_READ))
        return values.read(heard, values.Pull, doing).value()

    def pulls_of_head(self, repository: str, branch: str) -> tuple[PullRequest, ...]:
        """The open pull requests whose head is this branch of this repository (``owner/name``), lowest number first."""
        doing = f"listing pull requests of {self.repository}"
        owner = repository.partition("/")[0]
        query = {"state": "open", "head": f"{owner}:{branch}", "per_page": "100"}
        found = [
            pull.value()
            for heard in self.pages(Call("GET", f"{self.path}/pulls", doing, query=query, needs=_READ))
            for pull in values.read(heard, list[values.Pull], doing)
        ]
        # The filter names an owner, who may have several forks; and an API that ignores it would list everything.
        ours = [pull for pull in found if _same(pull.head_repository, repository) and pull.head_ref == branch]
        return tuple(sorted(ours, key=lambda pull: pull.number))

    # -- comments -----------------------------------------------------------------------------------------------------

    def comments(self, number: int) -> Iterator[IssueComment]:
        """All comments of a pull request's conversation, page by page, in GitHub's order (oldest first)."""
        doing = f"reading the comments of {self.repository}#{number}"
        call = Call("GET", f"{self.path}/issues/{number:d}/comments", doing, query={"per_page": "100"}, needs=_READ)
        for heard in self.pages(call):
            for comment in values.read(heard, list[values.Comment], doing):
                yield comment.value()

    def create_comment(
        self,
        number: int,
        body: str,
        *,
        is_it: Callable[[IssueComment], bool],
        before_repeat: Callable[[], None] | None = None,
    ) -> IssueComment:
        """Write a new comment; sent again only after looking whether one that ``is_it`` is there, which is returned.

        ``before_repeat`` runs before it is sent again after a long wait; what it raises ends the call. Raises TooLong.
        """
        doing = f"writing a comment on {self.repository}#{number}"
        path = f"{self.path}/issues/{number:d}/comments"
        call = Call("POST", path, doing, body={"body": _text(body)}, needs=_WRITE)
        made = self.create(call, lambda: next(filter(is_it, self.comments(number)), None), before_repeat)
        return values.read(made, values.Comment, doing).value() if isinstance(made, Heard) else made

    def edit_comment(
        self, comment_id: int, body: str, *, before_repeat: Callable[[], None] | None = None
    ) -> IssueComment:
        """Replace a comment's text. Raises TooLong, and NotFound when somebody deleted it."""
        doing = f"editing comment {comment_id} in {self.repository}"
        path = f"{self.path}/issues/comments/{comment_id:d}"
        heard = self.ask(Call("PATCH", path, doing, body={"body": _text(body)}, needs=_WRITE), before_repeat)
        return values.read(heard, values.Comment, doing).value()

    def delete_comment(self, comment_id: int) -> None:
        """Delete a comment; one that is gone is as good as deleted."""
        doing = f"deleting comment {comment_id} in {self.repository}"
        try:
            self.ask(Call("DELETE", f"{self.path}/issues/comments/{comment_id:d}", doing, needs=_WRITE))
        except NotFound:
            return

    def close(self) -> None:
        """Close the kept connection."""
        self._wire.close()

    # -- asking: for the modules beside this one, each of which knows the calls of one subject -------------------------

    def ask(self, call: Call, before_repeat: Callable[[], None] | None = None) -> Heard:
        """A good answer to a call that does not create, as ``Caller.ask``."""
        self._ready()
        return self._caller.ask(call, before_repeat)

    def create(
        self, call: Call, there: Callable[[], Made | None], before_repeat: Callable[[], None] | None = None
    ) -> Heard | Made:
        """A good answer to a call that creates, or what was found instead.

        After a fault it is sent again only when ``there``, which looks for what the call makes, finds None.
        ``before_repeat`` runs before it is sent again after a long wait; what it raises ends the call.
        """
        self._ready()
        for attempt in itertools.count(1):
            before = self.waited
            heard = self._caller.attempt(call, attempt)
            if heard is not None:
                return heard
            found = there()
            if found is not None:
                return found
            if before_repeat is not None and self.waited - before >= LONG_WAIT:
                before_repeat()
        raise AssertionError("unreachable")

    def graphql(
        self, document: str, variables: Mapping[str, object], doing: str, *, needs: str = "", harmless: bool = False
    ) -> Call:
        """The call of a GraphQL query (``harmless``) or mutation, to be asked like any other."""
        body = {"query": document, "variables": variables}
        return Call("POST", self._wire.graphql_url, doing, body=body, needs=needs, harmless=harmless, graphql=True)

    @property
    def path(self) -> str:
        """Of the repository, below the API's URL."""
        return f"/repos/{self.repository}"

    def pages(self, call: Call) -> Iterator[Heard]:
        """A list's pages, by the link each gives to the next; only its path counts, the host is always ours."""
        seen: set[str] = set()
        while True:
            heard = self.ask(call)
            yield heard
            link = _NEXT.search(heard.headers.get("link", ""))
            if link is None:
                return
            seen.add(call.path)
            call = call._replace(path=self._wire.below(link[1]), query={}, page=True)
            if call.path in seen or len(seen) >= _MOST_PAGES:
                raise GitHubError(
                    f"{call.doing}: the list does not end after {len(seen)} pages", hint="try again, or report it"
                )

    def _send(self, call: Call) -> Heard:
        return self._wire.send(call, "jwt" if call.as_app else "token", self._jwt if call.as_app else self._token)

    def _hide(self, text: str) -> str:
        return conceal(text, (*self.secrets(), self._jwt))

    # -- as an App ----------------------------------------------------------------------------------------------------

    def _ready(self) -> None:
        """Have a token: an App's is made at first, and again before it ends."""
        if isinstance(self._auth, Token):
            return
        if self._minted_at is None or self._clock() - self._minted_at > _TOKEN_LIVES:
            token = self._mint(self._auth)
            self._made.append(token)
            self._mask(token)
            self._token, self._minted_at = token, self._clock()

    def _mint(self, app: App) -> str:
        """A fresh token, for this repository only unless the App says otherwise."""
        self._jwt = self._sign(app)
        self._mask(self._jwt)
        self._made.append(self._jwt)
        installation = app.installation_id
        try:
            if installation is None:
                doing = f"looking up where App {app.app_id} is installed for {self.repository}"
                heard = self._caller.ask(Call("GET", f"{self.path}/installation", doing, as_app=True))
                installation = values.read(heard, values.Installation, doing).id
            doing = f"making a token of App {app.app_id} for {self.repository}"
            path = f"/app/installations/{installation:d}/access_tokens"
            wish: dict[str, object] = {}
            if not app.everywhere:
                wish["repositories"] = [self.repository.partition("/")[2]]
            if app.limits is not None:
                wish["permissions"] = dict(app.limits)
            heard = self._caller.ask(Call("POST", path, doing, body=wish, as_app=True, harmless=True))
            return values.read(heard, values.MintedToken, doing).token
        except AccessDenied as error:
            raise AccessDenied(error.message, hint=(
                f"the private key or the id is not that of App {app.app_id}, or the runner's clock is wrong"
                if error.status == 401 else "the installation is suspended, or may not do this: see the App's settings"
            ), status=error.status) from None  # fmt: skip
        except NotFound as error:
            raise NotFound(
                error.message,
                hint=f"install the App on {self.repository}, and check app_id and app_installation_id",
            ) from None

    def _sign(self, app: App) -> str:
        from github import Auth

        try:
            return Auth.AppAuth(app.app_id, self._key).token
        except Exception:  # noqa: BLE001 - what a signing library raises may quote the key
            raise AccessDenied(
                f"the private key of App {app.app_id} cannot be used to sign",
                hint="pass the whole .pem file that GitHub made for the App (an RSA key)",
            ) from None


# -- the wire ---------------------------------------------------------------------------------------------------------


class _Wire:
    """One kept connection to the API's host; whatever URL is given, only this host is asked."""

    def __init__(self, api_url: str) -> None:
        self._api_url = api_url
        parts = urlsplit(api_url)
        self._host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        self._secure, self._port, self._prefix = parts.scheme == "https", parts.port, parts.path
        self._line: Line | None = None
        self._requesters: dict[tuple[str, str], Requester] = {}

    @property
    def graphql_url(self) -> str:
        """Beside REST: ``https://host/api/v3`` has it at ``https://host/api/graphql``."""
        return f"{self._api_url.removesuffix('/v3')}/graphql"

    def below(self, url: str) -> str:
        """A URL that the API gave us, as one on the API's own host."""
        parts = urlsplit(url)
        return urlsplit(self._api_url)._replace(path=parts.path, query=parts.query).geturl()

    def send(self, call: Call, kind: str, secret: str) -> Heard:
        """One request, one answer; a lost connection has status 0. Raises Unavailable for a certificate."""
        requester, line = self._requester(kind, secret), self._connection()
        try:
            requester.requestJson(call.method, call.path, dict(call.query), input=call.body, cnx=line)
        except OSError as error:
            self.close()
            names = {each.__name__ for each in type(error).__mro__}
            if "SSLError" in names:
                raise Unavailable(
                    f"{call.doing}: the TLS certificate was not accepted",
                    hint="check the API's URL; name your own CA bundle with REQUESTS_CA_BUNDLE",
                ) from None
            return Heard(0, {}, in_words(error, names))
        return Heard(*line.last)

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def _connection(self) -> Any:
        """The connection, made with PyGithub's own class so that proxies and CA bundles of the environment hold."""
        if self._line is None:
            from github.Requester import HTTPRequestsConnectionClass, HTTPSRequestsConnectionClass

            kind = HTTPSRequestsConnectionClass if self._secure else HTTPRequestsConnectionClass
            self._line = Line(kind(self._host or "", self._port, timeout=IDLE, verify=bundle()))
        return self._line

    def _requester(self, kind: str, secret: str) -> Requester:
        if (kind, secret) not in self._requesters:
            import github

            # At level DEBUG it logs whole answers, and a minted token is in one of them.
            logging.getLogger("github.Requester").disabled = True
            auth = github.Auth.AppAuthToken(secret) if kind == "jwt" else github.Auth.Token(secret)
            made = github.Github(
                auth=auth, base_url=self._api_url, retry=None, seconds_between_requests=None, timeout=IDLE,
                seconds_between_writes=None, per_page=100, user_agent="gitops-bot",
            )  # fmt: skip
            self._requesters[kind, secret] = made.requester
        return self._requesters[kind, secret]


def _same(one: str, other: str) -> bool:
    """GitHub's names differ by more than case."""
    return one.casefold() == other.casefold()


def _text(body: str) -> str:
    """What JSON can carry: half characters become ``?``."""
    return body.encode("utf-8", "replace").decode()
