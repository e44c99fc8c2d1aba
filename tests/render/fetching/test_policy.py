"""What may be fetched, and how URLs are told apart."""

from __future__ import annotations

import contextlib
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_bot.errors import BotError, FetchError
from gitops_bot.model import url as urls
from gitops_bot.render.fetching.policy import Kind, Policy, is_public

ALLOWED = (
    "https://charts.example.org/stable",
    "oci://ghcr.io/acme",
    "https://github.com/acme",
    "ssh://git@git.acme.io",
)


def allows(policy: Policy, kind: Kind, url: str) -> bool:
    try:
        policy.require(kind, url)
    except FetchError:
        return False
    return True


@pytest.mark.parametrize(("kind", "url"), [
    ("chart", "https://charts.example.org/stable"), ("chart", "https://charts.example.org/stable/"),
    ("chart", "HTTPS://Charts.Example.ORG:443/stable/sub"), ("chart", "https://charts.example.org./stable"),
    ("chart", "oci://ghcr.io/acme/charts"), ("chart", "ghcr.io/acme"), ("git", "https://github.com/acme/repo.git"),
    ("git", "https://github.com/ACME/repo"), ("git", "https://acme@github.com/acme/repo"),
    ("git", "git@git.acme.io:team/repo.git"), ("git", "ssh://git@git.acme.io/team/repo"),
    ("file", "https://github.com/acme/repo/raw/main/values.yaml"),
])  # fmt: skip
def test_what_lies_below_an_allowed_place_may_be_fetched(kind: Kind, url: str) -> None:
    assert allows(Policy.from_settings(ALLOWED), kind, url)


@pytest.mark.parametrize(("kind", "url"), [
    ("chart", "https://charts.example.org.evil/stable"), ("chart", "https://charts.example.org/stable2"),
    ("chart", "https://charts.example.org/"), ("chart", "http://charts.example.org/stable"),
    ("chart", "https://charts.example.org:8443/stable"), ("chart", "https://charts.example.org@evil.example/stable"),
    ("chart", "https://charts.example.org/stable/../other"), ("chart", "https://charts.example.org/stable/%2e%2e/x"),
    ("chart", "https://charts.example.org/stable/%252e%252e/x"), ("chart", "https://charts.example.org\\@evil.example/"),
    ("chart", "https://evil.example/?https://charts.example.org/stable"), ("chart", "oci://ghcr.io/acme-evil"),
    ("chart", "ghcr.io"), ("chart", "file:///etc"), ("chart", ""), ("chart", "."), ("chart", "../charts"),
    ("git", "https://github.com/acme-evil/repo"), ("git", "http://github.com/acme/repo"),
    ("git", "git://github.com/acme/repo"), ("git", "git@github.com:acme/repo"), ("git", "ext::sh -c id"),
    ("git", "ssh://-oProxyCommand=id/x"), ("git", "-uhttps://github.com/acme/repo"), ("git", "/srv/git/repo"),
    ("git", "root@git.acme.io:team/repo"), ("git", "oci://ghcr.io/acme"), ("file", "file:///etc/passwd"),
    ("file", "https://169.254.169.254/latest"), ("git", "https://github.com/acme/repo\nx"), ("git", "https://g\u0456thub.com/acme"),
])  # fmt: skip
def test_nothing_else_may(kind: Kind, url: str) -> None:
    assert not allows(Policy.from_settings(ALLOWED), kind, url)
    assert not allows(Policy.from_named(ALLOWED), kind, url)


def test_without_settings_exactly_what_the_base_names_may_be_asked_again() -> None:
    policy = Policy.from_named(
        ["https://charts.example.org/stable/", "https://github.com/acme/repo.git", "ghcr.io/acme/charts",
         "git@git.acme.io:team/repo", "http://plain.example.org", "not a url", "file:///etc", ""]
    )  # fmt: skip
    assert allows(policy, "chart", "https://charts.example.org/stable")
    assert allows(policy, "git", "https://github.com/Acme/repo")
    assert allows(policy, "chart", "oci://ghcr.io/acme/charts")
    assert allows(policy, "git", "ssh://git@git.acme.io/team/repo.git")
    assert not allows(policy, "chart", "https://charts.example.org/stable/incubator")
    assert not allows(policy, "git", "https://github.com/acme/repo/other")
    assert not allows(policy, "git", "https://github.com/acme")
    assert not allows(policy, "chart", "http://plain.example.org")
    assert policy.reach("https://charts.example.org/stable/app-1.0.0.tgz") == "trusted"
    assert not allows(Policy(), "git", "https://github.com/acme/repo")


def test_plain_http_only_where_it_is_listed_itself() -> None:
    policy = Policy.from_settings(
        ["http://127.0.0.1:8080/charts", "oci+http://127.0.0.1:5000", "http://old.example.org"]
    )
    assert allows(policy, "chart", "http://127.0.0.1:8080/charts")
    assert allows(policy, "chart", "http://old.example.org/charts")
    assert not allows(policy, "chart", "https://old.example.org/charts")
    assert not allows(policy, "chart", "http://127.0.0.1:8081/charts")
    assert policy.require("chart", "127.0.0.1:5000/team").scheme == "oci+http"
    assert policy.require("chart", "oci://127.0.0.1:5000/team").scheme == "oci+http"
    with pytest.raises(FetchError, match="loopback"):
        Policy.from_settings(["oci+http://registry.example.org"])


def test_a_refusal_names_the_place_and_the_next_step_but_no_credential() -> None:
    for url in ("https://ada:s3cret@evil.example/charts", "https://evil.example/charts?token=s3cret#s3cret"):
        with pytest.raises(FetchError) as caught:
            Policy.from_settings(ALLOWED).require("chart", url)
        assert "https://evil.example/charts" in caught.value.message
        assert "s3cret" not in caught.value.message + caught.value.hint
        assert "ada" not in caught.value.message
    assert "fetch.allow" in caught.value.hint


def test_an_entry_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(FetchError, match=r"fetch\.allow: https://x\.example: it carries a password"):
        Policy.from_settings(["https://ada:s3cret@x.example"])


def test_how_far_a_redirect_is_followed() -> None:
    policy = Policy.from_settings(ALLOWED)
    assert policy.reach("https://charts.example.org/stable/a.tgz") == "trusted"
    assert policy.reach("https://objects.example.com/a.tgz?signature=1") == "refused"
    assert policy.reach("https://objects.example.com/a.tgz?signature=1", pinned=True) == "public"
    for url in ("http://objects.example.com/a", "https://localhost/a", "https://127.0.0.1/a", "https://[::1]/a",
                "https://10.0.0.1/a", "https://169.254.169.254/a", "https://metadata.internal/a", "https://intranet/a",
                "https://u@objects.example.com/a", "ftp://objects.example.com/a",
                "https://[::ffff:10.0.0.1]/a"):  # fmt: skip
        assert policy.reach(url, pinned=True) == "refused", url
    assert is_public(urls.parse("https://1.1.1.1/a"))


WORDS = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=6)
PATHS = st.lists(WORDS, max_size=3).map("/".join)


@settings(deadline=None)
@given(WORDS, PATHS, WORDS, PATHS)
def test_a_prefix_covers_by_host_and_whole_segments_only(host: str, path: str, other_host: str, other: str) -> None:
    place, asked = urls.parse(f"https://{host}.org/{path}"), urls.parse(f"https://{other_host}.org/{other}")
    expected = (
        host == other_host
        and [*filter(None, path.split("/"))]
        == [*filter(None, other.split("/"))][: len([*filter(None, path.split("/"))])]
    )
    assert place.covers(asked) == expected


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_read_one_way_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        once = urls.parse(text)
        assert urls.parse(str(once)) == once
    if "/" not in text and not any(character.isspace() for character in text):
        assert urls.shown(f"https://ada:{text}@host.example/a") == "https://host.example/a"
    assert not allows(Policy.from_settings(ALLOWED), "git", f"https://{text}") or "github.com/acme" in text.lower()


@settings(deadline=None)
@given(st.text(string.ascii_letters + string.digits + "!$%^*()_+=", min_size=1))
def test_shown_hides_user_information(secret: str) -> None:
    assert urls.shown(f"https://ada:{secret}@host.example/x?{secret}") == "https://host.example/x"


@pytest.mark.parametrize(("text", "expected"), [
    ("https://GitHub.com/Acme/Repo.git", "https://github.com/acme/repo"),
    ("https://user@github.com/acme/repo/", "https://github.com/acme/repo"),
    ("git@GitHub.com:Acme/repo.git", "git@github.com/acme/repo"),
    ("ssh://git@github.com/acme/repo", "git@github.com/acme/repo"),
    ("ssh://git@github.com:22/acme/repo", "git@github.com/acme/repo"),
])  # fmt: skip
def test_one_repository_has_one_spelling(text: str, expected: str) -> None:
    assert urls.normalise_git(text) == expected


@pytest.mark.parametrize("text", [
    "https://ada:s3@cret@host.example/a", "https://ada:s3/cret@host.example/a", "https://ada:s3cret/x@host.example/a",
    "https://ada:s3cret@host.example:port/a", "ada:s3cret@host.example:acme/repo", "https://[::1]:s3cret/a",
    "ada:s3@cret@host.example:acme/repo", "https://ada:s3 cret@host.example/a", "https://ada:s3cret@[x/a",
])  # fmt: skip
def test_no_spelling_of_a_password_is_ever_told(text: str) -> None:
    told = urls.shown(text)
    for kind in ("chart", "git", "file"):
        with pytest.raises(FetchError) as caught:
            Policy.from_settings(ALLOWED).require(kind, text)
        told += caught.value.message + caught.value.hint
    with pytest.raises(BotError) as refused:
        Policy.from_settings([text])
    told += refused.value.message + refused.value.hint
    assert "s3" not in told
    assert "cret" not in told
