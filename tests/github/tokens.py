"""Who may do what: the Actions token, its read-only twin, an App's installation tokens, and people's own."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.github.exchange import Refusal
from tests.github.state import Account, State

_NAMES = ("actions", "checks", "contents", "deployments", "issues", "pull_requests", "statuses")
WRITE = {**dict.fromkeys(_NAMES, "write"), "metadata": "read"}
READ = dict.fromkeys(WRITE, "read")
HOUR = 3600.0
_LEVELS = {"none": 0, "read": 1, "write": 2, "admin": 3}


@dataclass(eq=False)
class Token:
    """One token."""

    value: str
    kind: str
    """``actions``, ``app`` or ``pat``."""
    account: Account
    permissions: dict[str, str]
    """``contents``, ``issues`` … to ``read`` or ``write``."""
    expires: float | None
    """Unix time by GitHub's clock; None for never."""
    repositories: frozenset[str] | None = None
    """Full names it reaches; None for all."""
    app: str = ""
    """Slug of the app behind it."""

    def may(self, needs: str) -> bool:
        """Whether it has ``pull_requests:write`` or better."""
        name, _, level = needs.partition(":")
        return _LEVELS[self.permissions.get(name, "none")] >= _LEVELS[level]

    @property
    def login(self) -> str:
        return self.account.login

    @property
    def is_app(self) -> bool:
        """GitHub Actions is an app, too."""
        return self.kind in ("actions", "app")

    def refused(self) -> Refusal:
        """403 in the words for this kind of token."""
        kind = "integration" if self.is_app else "personal access token"
        return Refusal(403, f"Resource not accessible by {kind}")


@functools.cache
def _key_pair() -> tuple[str, str]:
    """Private and public key (PEM), one for all tests of a process: making one takes a tenth of a second."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip
    return private.decode(), public.decode()


@dataclass(eq=False)
class App:
    """A GitHub App, installed once."""

    id: int
    slug: str
    installation_id: int
    account: Account
    """Whose installation it is."""
    client_id: str
    created_at: str
    permissions: dict[str, str] = field(default_factory=lambda: dict(WRITE))

    @property
    def private_key(self) -> str:
        """PEM, as GitHub hands it out."""
        return _key_pair()[0]

    def check(self, jwt_text: str, now: float) -> None:
        """Check the app's own token really: signature, issuer, times (at most ten minutes, as GitHub demands).

        Raises:
            Refusal: 401 with GitHub's reason.
        """
        import jwt

        options = {"verify_exp": False, "verify_iat": False, "verify_aud": False, "require": ["iat", "exp", "iss"]}
        try:
            claims = jwt.decode(jwt_text, _key_pair()[1], algorithms=["RS256"], options=options)
        except jwt.PyJWTError as error:
            raise Refusal(401, "A JSON web token could not be decoded") from error
        if str(claims["iss"]) not in (str(self.id), self.client_id):
            raise Refusal(401, "'Issuer' claim ('iss') must be an Integer or a client id of this app")
        if claims["iat"] > now + 60:
            raise Refusal(401, "'Issued at' claim ('iat') must be an Integer representing the time of issue")
        if claims["exp"] < now or claims["exp"] > now + 600 + 60:
            raise Refusal(401, "'Expiration time' claim ('exp') is too far in the future or has passed")


class Tokens:
    """The tokens that exist; five are there from the start."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._known: dict[str, Token] = {}
        self.app_of_tests = App(
            state.new_id(),
            "gitops-bot",
            state.new_id(),
            state.account("shop", "Organization"),
            "Iv23liTestsOnly",
            state.now(),
        )
        self.actions = self.add()
        """The default token of a workflow that asked for what it needs."""
        self.read_only = self.add(permissions=READ)
        """The default token of a fork's or Dependabot's pull request."""
        self.app = self.add("app", "gitops-bot[bot]")
        """An installation token of the app."""
        self.pat = self.add("pat", "ada")
        """A person's own."""
        self.expired = self.add(expires_in=-1)
        """The default token, an hour later."""

    def add(
        self,
        kind: str = "actions",
        login: str = "",
        *,
        permissions: Mapping[str, str] = WRITE,
        expires_in: float | None = HOUR,
        repositories: frozenset[str] | None = None,
    ) -> Token:
        """Make a token of a kind (``actions``, ``app``, ``pat``) for a login."""
        login = login or {"actions": "github-actions[bot]", "app": "gitops-bot[bot]"}.get(kind, "ada")
        value = ("ghp_" if kind == "pat" else "ghs_") + secrets.token_hex(18)
        expires = None if expires_in is None or kind == "pat" else self._state.clock() + expires_in
        slug = {"actions": "github-actions", "app": "gitops-bot"}.get(kind, "")
        made = Token(value, kind, self._state.account(login), dict(permissions), expires, repositories, slug)
        self._known[value] = made
        return made

    def find(self, value: str) -> Token:
        """The token of a value.

        Raises:
            Refusal: 401, there is none, or it has expired.
        """
        token = self._known.get(value)
        if token is None or (token.expires is not None and token.expires < self._state.clock()):
            raise Refusal(401, "Bad credentials")
        return token
