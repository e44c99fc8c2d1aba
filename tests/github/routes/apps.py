"""GitHub Apps: the app itself, its installation, and the tokens of that."""

from __future__ import annotations

from typing import Any

from tests.github.exchange import Answer, Refusal, invalid
from tests.github.routes.accounts import user
from tests.github.routing import Call, route
from tests.github.tokens import App, Tokens


def _installed(call: Call) -> tuple[App, Tokens]:
    return call.tokens.app_of_tests, call.tokens


def integration(call: Call, slug: str) -> dict[str, Any]:
    """An app as it stands in other objects."""
    app, _ = _installed(call)
    owner = app.account if slug == app.slug else call.state.account("github", "Organization")
    number = app.id if slug == app.slug else 15368
    return {
        "id": number, "client_id": app.client_id if slug == app.slug else "Iv1.05c79e9ad1f6bdfa", "slug": slug,
        "node_id": f"A_{number}", "owner": user(call, owner), "name": slug.replace("-", " ").title(), "description": "",
        "external_url": "https://example.org", "html_url": f"{call.state.server_url}/apps/{slug}",
        "created_at": app.created_at, "updated_at": app.created_at, "permissions": app.permissions, "events": [],
    }  # fmt: skip


def _installation(call: Call) -> dict[str, Any]:
    app, _ = _installed(call)
    return {
        "id": app.installation_id, "client_id": app.client_id, "account": user(call, app.account),
        "repository_selection": "all",
        "access_tokens_url": f"{call.api}/app/installations/{app.installation_id}/access_tokens",
        "repositories_url": f"{call.api}/installation/repositories",
        "html_url": f"{call.state.server_url}/organizations/{app.account.login}/settings/installations/{app.installation_id}",
        "app_id": app.id, "app_slug": app.slug, "target_id": app.account.id, "target_type": app.account.type,
        "permissions": app.permissions, "events": [], "created_at": app.created_at, "updated_at": app.created_at,
        "single_file_name": None, "has_multiple_single_files": False, "single_file_paths": [], "suspended_by": None,
        "suspended_at": None,
    }  # fmt: skip


@route("GET", "/app", "app-jwt", anyone=False)
def get_app(call: Call) -> Answer:
    """The app of the JWT."""
    app, _ = _installed(call)
    return Answer(200, {**integration(call, app.slug), "installations_count": 1})


@route("GET", "/app/installations", "app-jwt", anyone=False)
def installations(call: Call) -> Answer:
    """Where the app is installed."""
    items, headers = call.page([_installation(call)])
    return Answer(200, items, headers)


@route("GET", "/app/installations/{installation_id}", "app-jwt", anyone=False)
def installation(call: Call) -> Answer:
    """One installation."""
    if call.number("installation_id") != _installed(call)[0].installation_id:
        raise Refusal(404, "Not Found")
    return Answer(200, _installation(call))


@route("GET", "/repos/{owner}/{repo}/installation", "app-jwt", anyone=False)
def of_repository(call: Call) -> Answer:
    """The installation that covers a repository: those of its account."""
    if call.repository.owner is not _installed(call)[0].account:
        raise Refusal(404, "Not Found")
    return Answer(200, _installation(call))


@route("POST", "/app/installations/{installation_id}/access_tokens", "app-jwt")
def access_token(call: Call) -> Answer:
    """A token for an hour, with all permissions of the app or with fewer."""
    app, tokens = _installed(call)
    if call.number("installation_id") != app.installation_id:
        raise Refusal(404, "Not Found")
    asked = call.body()
    permissions = dict(asked.get("permissions") or app.permissions)
    order = ("none", "read", "write", "admin")
    for name, level in permissions.items():
        if order.index(level) > order.index(app.permissions.get(name, "none")):
            raise invalid(
                "Integration",
                "permissions",
                "custom",
                "The permissions requested are not granted to this installation.",
            )
    names = frozenset(f"{app.account.login}/{name}" for name in asked.get("repositories") or []) or None
    token = tokens.add("app", f"{app.slug}[bot]", permissions=permissions, repositories=names)
    body = {"token": token.value, "expires_at": call.state.now(3600), "permissions": permissions,
            "repository_selection": "selected" if names else "all"}  # fmt: skip
    return Answer(201, body)
