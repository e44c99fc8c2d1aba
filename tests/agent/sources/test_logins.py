"""Which Secret opens which repository: Argo CD's fields and order of choice, and what is refused by name."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.agent.sources.logins import SECRET_TYPE, Login, find, place_of, read
from tests.canaries import Canaries

PEM = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n-----END OPENSSH PRIVATE KEY-----"


def secret(kind: str = "repository", name: str = "it", **fields: str) -> dict[str, Any]:
    data = {field: base64.b64encode(value.encode()).decode() for field, value in fields.items()}
    return {"metadata": {"name": name, "labels": {SECRET_TYPE: kind}}, "data": data}


def opened(kind: str = "repository", **fields: str) -> Login:
    login, problem = read(secret(kind, **fields))
    assert problem == ""
    assert login is not None
    return login


# -- what a Secret says -----------------------------------------------------------------------------------------------


def decoded(login: Login) -> str:
    return base64.b64decode(login.header.removeprefix("Basic ")).decode()


def test_a_name_and_a_password_are_basic_authentication() -> None:
    login = opened(url="https://GitHub.com/Acme/Shop.git", username="ada", password="s3cret\n")
    assert (login.place, login.below, decoded(login)) == ("https://github.com/acme/shop", False, "ada:s3cret")
    assert login.source == "Secret it"


def test_a_token_without_a_name_is_sent_as_any_host_takes_it() -> None:
    assert decoded(opened(url="https://github.com/acme", password="ghp_1")) == "x-access-token:ghp_1"
    assert opened(url="https://git.example.org/x", bearerToken="abc").header == "Bearer abc"


@pytest.mark.parametrize("url", ["git@github.com:Acme/shop.git", "ssh://git@github.com/Acme/shop"])
def test_an_ssh_key_opens_both_spellings_of_a_url(url: str) -> None:
    login = opened(url=url, sshPrivateKey=PEM)
    assert (login.place, login.key) == ("git@github.com/acme/shop", PEM)


@pytest.mark.parametrize(("base", "url", "api"), [
    ("", "https://github.com/acme", "https://api.github.com"),
    ("", "https://ghe.example.org/acme", "https://ghe.example.org/api/v3"),
    ("https://ghe.example.org/api/v3/", "https://ghe.example.org/acme", "https://ghe.example.org/api/v3"),
])  # fmt: skip
def test_a_github_app_is_asked_at_its_own_api(base: str, url: str, api: str) -> None:
    app = opened(
        "repo-creds", url=url, githubAppID="1", githubAppInstallationID="2", githubAppPrivateKey=PEM,
        githubAppEnterpriseBaseUrl=base,
    ).app  # fmt: skip
    assert app is not None
    assert (app.app_id, app.installation_id, app.api_url) == ("1", 2, api)


@pytest.mark.parametrize(("fields", "place"), [
    ({"type": "helm", "url": "https://charts.example.org/Team/"}, "https://charts.example.org/team"),
    ({"type": "helm", "enableOCI": "true", "url": "ghcr.io/acme/charts"}, "oci://ghcr.io/acme/charts"),
    ({"type": "helm", "enableOCI": "true", "url": "127.0.0.1:5000/team"}, "oci://127.0.0.1:5000/team"),
    ({"type": "oci", "url": "oci://ghcr.io/acme/charts"}, "oci://ghcr.io/acme/charts"),
])  # fmt: skip
def test_charts_are_opened_too(fields: dict[str, str], place: str) -> None:
    assert opened(username="ci", password="x", **fields).place == place


def test_a_repository_that_needs_no_login_is_none_and_no_problem() -> None:
    assert read(secret(url="https://github.com/acme/open", name="open")) == (None, "")
    assert read(secret("cluster", url="https://github.com/acme/x", password="x")) == (None, "")


@pytest.mark.parametrize(("fields", "message"), [
    ({"insecure": "true", "password": "x"}, "insecure"),
    ({"insecureIgnoreHostKey": "true", "password": "x"}, "insecureIgnoreHostKey"),
    ({"insecureOCIForceHttp": "true", "password": "x"}, "without TLS"),
    ({"proxy": "http://proxy:3128", "password": "x"}, "HTTPS_PROXY"),
    ({"tlsClientCertData": "CANARY", "tlsClientCertKey": "CANARY"}, "client certificate"),
    ({"gcpServiceAccountKey": "CANARY"}, "Google service account"),
    ({"useAzureWorkloadIdentity": "true"}, "Azure"),
    ({"sshPrivateKey": "CANARY"}, "an SSH key for an https URL"),
    ({"bearerToken": "CANARY 1"}, "bearerToken that is no token"),
    ({"username": "a:CANARY", "password": "CANARY"}, "username with a colon"),
    ({"githubAppID": "1"}, "githubAppPrivateKey"),
    ({"githubAppPrivateKey": "CANARY"}, "githubAppID"),
    ({"githubAppID": "1", "githubAppPrivateKey": "CANARY", "githubAppInstallationID": "x"}, "no number"),
    ({"githubAppID": "1", "githubAppPrivateKey": "CANARY", "githubAppEnterpriseBaseUrl": "CANARY"}, "BaseUrl"),
])  # fmt: skip
def test_what_is_not_done_is_refused_by_name_and_opens_nothing(fields: dict[str, str], message: str) -> None:
    login, problem = read(secret(url="https://git.example.org/acme", **fields))
    assert message in problem
    assert "Secret it" in problem
    assert "CANARY" not in problem
    assert login is not None
    assert (login.refused, login.header, login.key, login.app) == (problem, "", "", None)


@pytest.mark.parametrize(("url", "message"), [
    ("", "is missing"), ("https://ada:CANARY@git.example.org/x", "carries a password"), ("file:///etc", "URL"),
    ("https://git.example.org/../x", "segments"),
])  # fmt: skip
def test_a_secret_for_no_place_is_a_problem(url: str, message: str) -> None:
    login, problem = read(secret(url=url, password="CANARY"))
    assert login is None
    assert message in problem
    assert "CANARY" not in problem


def test_what_is_no_text_is_a_problem() -> None:
    made = secret(url="https://git.example.org/x")
    made["data"]["password"] = base64.b64encode(b"\xff\xfe").decode()
    login, problem = read(made)
    assert (login, "password" in problem) == (None, True)


def test_nothing_prints_a_secret() -> None:
    birds = Canaries()
    shown = [
        repr(opened(url="https://a.example.org/x", password=birds.make("password"))),
        repr(opened(url="https://a.example.org/x", bearerToken=birds.make("bearer"))),
        repr(opened(url="git@a.example.org:x", sshPrivateKey=birds.make("key"))),
        repr(opened(url="https://a.example.org/x", githubAppID="1", githubAppPrivateKey=birds.make("app"))),
        repr(opened(url="https://a.example.org/x", githubAppID="1", githubAppPrivateKey=birds.make("app")).app),
    ]
    birds.assert_silent({"repr": "\n".join(shown)})


# -- which one opens --------------------------------------------------------------------------------------------------


def login(place: str, *, below: bool = False, project: str = "", header: str = "") -> Login:
    return Login(place=place_of(place), below=below, project=project, header=header or place)


SHOP = "https://github.com/acme/shop"


@pytest.mark.parametrize(("url", "found"), [
    (SHOP, SHOP),
    ("https://GITHUB.com/Acme/shop.git", SHOP),
    ("https://github.com/acme/other", "https://github.com/acme"),
    ("https://github.com/other", "https://github.com"),
    ("https://github.com/acme-evil/x", "https://github.com"),
    ("https://github.com.evil.org/acme/shop", None),
    ("http://github.com/acme/shop", None),
    ("git@github.com:acme/shop.git", "git@github.com:acme"),
    ("ssh://git@github.com/acme/shop", "git@github.com:acme"),
    ("ssh://eve@github.com/acme/shop", None),
    ("ssh://git@github.com:2222/acme/shop", None),
])  # fmt: skip
def test_the_repositorys_own_login_comes_before_the_longest_prefix(url: str, found: str | None) -> None:
    known = [
        login("https://github.com", below=True),
        login("https://github.com/acme", below=True),
        login(SHOP),
        login("git@github.com:acme", below=True),
    ]
    for order in (known, known[::-1]):
        chosen = find(order, place_of(url), "default")
        assert (chosen.header if chosen else None) == found


def test_a_projects_own_login_is_for_its_applications_alone() -> None:
    known = [login(SHOP, header="all"), login(SHOP, project="team", header="team"), login("https://x.org", project="a")]
    found = {project: find(known, place_of(SHOP), project) for project in ("team", "other", "default")}
    assert {project: each.header if each else "" for project, each in found.items()} == {
        "team": "team", "other": "all", "default": "all",
    }  # fmt: skip
    assert find(known, place_of("https://x.org"), "b") is None


def test_a_repositorys_own_login_is_not_for_what_lies_below() -> None:
    assert find([login("https://github.com/acme")], place_of(SHOP), "") is None


PLACES = st.lists(st.sampled_from(["a", "b", "ab", "a-b", "c"]), min_size=1, max_size=4).map(
    lambda parts: "https://h.example.org/" + "/".join(parts)
)


@given(st.lists(st.tuples(PLACES, st.booleans()), max_size=8), PLACES)
def test_what_is_found_covers_and_nothing_longer_does(known: list[tuple[str, bool]], url: str) -> None:
    logins = [login(place, below=below) for place, below in known]
    found = find(logins, place_of(url), "")
    covering = [place for place, below in known if place == url or (below and url.startswith(f"{place}/"))]
    if found is None:
        assert covering == []
    else:
        assert len(found.place) == max(map(len, covering))
