"""A token of a GitHub App that reads repositories and can do nothing else, for Git over HTTPS."""

from __future__ import annotations

from gitops_bot.doors.github.api import GitHub
from gitops_bot.doors.github.auth import App
from gitops_bot.doors.github.pacing import Patience

_PATIENCE = Patience(seconds=20.0, requests=6, creations=2)


def reading_token(api_url: str, app: App, repository: str) -> str:
    """A fresh token; it lives an hour.

    It reads one repository (``owner/name``), or with ``""`` every one of the installation that the App names. Raises
    GitHubError, and UsageError for what cannot be a URL or name.
    """
    limited = App(
        app.app_id, app.private_key, app.installation_id, limits={"contents": "read"}, everywhere=not repository
    )
    named = repository or f"installation/{app.installation_id}"
    made = GitHub(api_url=api_url, repository=named, auth=limited, patience=_PATIENCE)
    try:
        return made.token()
    finally:
        made.close()
