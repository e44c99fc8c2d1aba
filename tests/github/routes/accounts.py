"""Users and bots."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tests.github.exchange import Answer, Refusal
from tests.github.routing import Call, route
from tests.github.state import Account

_LINKS = {
    "followers_url": "/followers", "following_url": "/following{/other_user}", "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}", "subscriptions_url": "/subscriptions", "organizations_url": "/orgs",
    "repos_url": "/repos", "events_url": "/events{/privacy}", "received_events_url": "/received_events",
}  # fmt: skip


def user(call: Call, account: Account) -> dict[str, Any]:
    """A user as it stands in other objects."""
    url = f"{call.api}/users/{quote(account.login)}"
    page = f"apps/{account.login.removesuffix('[bot]')}" if account.type == "Bot" else account.login
    return {
        "login": account.login, "id": account.id, "node_id": f"U_{account.id}",
        "avatar_url": f"{call.state.server_url}/avatars/{account.id}", "gravatar_id": "", "url": url,
        "html_url": f"{call.state.server_url}/{page}", **{name: url + rest for name, rest in _LINKS.items()},
        "type": account.type, "user_view_type": "public", "site_admin": account.site_admin,
    }  # fmt: skip


@route("GET", "/user", anyone=False)
def get_user(call: Call) -> Answer:
    """The token's own user, refused to every app's token."""
    if call.caller.is_app:
        raise call.caller.refused()
    account = call.caller.account
    return Answer(
        200,
        {
            **user(call, account), "name": account.login.title(), "company": None, "blog": "", "location": None,
            "email": None, "hireable": None, "bio": None, "twitter_username": None, "notification_email": None,
            "public_repos": 1, "public_gists": 0, "followers": 0, "following": 0,
            "created_at": "2020-01-01T00:00:00Z", "updated_at": call.state.now(), "private_gists": 0,
            "total_private_repos": 0, "owned_private_repos": 0, "disk_usage": 0, "collaborators": 0,
            "two_factor_authentication": True,
        },
    )  # fmt: skip


@route("GET", "/users/{username}")
def get_by_name(call: Call) -> Answer:
    """A user by login."""
    account = call.state.accounts.get(call.parameters["username"])
    if account is None:
        raise Refusal(404, "Not Found")
    return Answer(
        200,
        {
            **user(call, account), "name": None, "company": None, "blog": "", "location": None, "email": None,
            "hireable": None, "bio": None, "twitter_username": None, "public_repos": 1, "public_gists": 0,
            "followers": 0, "following": 0, "created_at": "2020-01-01T00:00:00Z", "updated_at": call.state.now(),
        },
    )  # fmt: skip


@route("GET", "/rate_limit")
def rate_limit(call: Call) -> Answer:
    """What is left of the hour."""
    limit = 1000 if call.token else 60
    one = {"limit": limit, "used": 1, "remaining": limit - 1, "reset": int(call.state.clock()) + 3600}
    names = ("core", "graphql", "search", "integration_manifest", "source_import", "code_scanning_upload",
             "actions_runner_registration", "scim", "dependency_snapshots", "code_search")  # fmt: skip
    resources = {name: {**one, "resource": name} for name in names}
    return Answer(200, {"resources": resources, "rate": {**one, "resource": "core"}})
