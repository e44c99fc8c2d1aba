"""What a run is to GitHub: a token, or a GitHub App with its key. Neither is ever shown."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from gitops_bot.doors.github.errors import AccessDenied

_TOKEN = re.compile(r"[!-~]+")
_APP_ID = re.compile(r"[A-Za-z0-9._-]{1,60}")
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+-----END [A-Z ]*PRIVATE KEY-----")


class Token(msgspec.Struct, frozen=True):
    """A token as it is: the workflow's own, a personal one, or an App's installation token."""

    value: str

    def __repr__(self) -> str:
        return "Token()"


class App(msgspec.Struct, frozen=True):
    """A GitHub App; a token for its installation on the repository is made when it is needed."""

    app_id: str
    """Number, or the client id (``Iv1.…``)."""
    private_key: str
    """PEM; line ends may be written as ``\\n`` in two characters."""
    installation_id: int | None = None
    """None: looked up for the repository."""
    limits: Mapping[str, str] | None = None
    """Permissions of its tokens (``contents: read``); None: all that the App has."""
    everywhere: bool = False
    """Whether its tokens reach every repository of the installation, not this one alone."""

    def __repr__(self) -> str:
        return f"App({self.app_id!r})"


def checked(auth: Token | App) -> Token | App:
    """The same without stray white space. Raises AccessDenied for what cannot be a token or an id."""
    if isinstance(auth, Token):
        value = auth.value.strip()
        if not _TOKEN.fullmatch(value):
            raise AccessDenied(
                "the token is empty" if not value else "the token holds characters that no token has",
                hint="pass token: ${{ github.token }}, or a secret that holds one token and nothing else",
            )
        return Token(value)
    app_id = auth.app_id.strip()
    if not _APP_ID.fullmatch(app_id):
        raise AccessDenied("the App's id is no id", hint="pass the number or client id of the App's settings page")
    return msgspec.structs.replace(auth, app_id=app_id)


def pem(key: str) -> str:
    """The key with real line ends. Raises AccessDenied, without any of it, when it is no PEM key."""
    text = key.replace("\\r", "").replace("\\n", "\n").replace("\r", "").strip()
    text = "\n".join(line.strip() for line in text.splitlines())
    if not _PEM.fullmatch(text):
        raise AccessDenied(
            "the App's private key is not in PEM form",
            hint="pass the whole .pem file, from -----BEGIN to -----END; line ends may be written as \\n",
        )
    return f"{text}\n"
