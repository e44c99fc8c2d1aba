"""Spellings of an image's name, by the reference grammar of the distribution project."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.model.image import Reference, canonical, is_digest, same_repository, split

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    ("spelled", "name"),
    [
        # Docker Hub: its host, its former host and the library may be left out
        ("nginx", "docker.io/library/nginx"),
        ("library/nginx", "docker.io/library/nginx"),
        ("docker.io/nginx", "docker.io/library/nginx"),
        ("docker.io/library/nginx", "docker.io/library/nginx"),
        ("index.docker.io/nginx", "docker.io/library/nginx"),
        ("index.docker.io/library/nginx", "docker.io/library/nginx"),
        ("Docker.IO/nginx", "docker.io/library/nginx"),
        ("docker.io:443/nginx", "docker.io/library/nginx"),
        ("INDEX.docker.io:443/library/nginx", "docker.io/library/nginx"),
        ("acme/x", "docker.io/acme/x"),
        ("docker.io/acme/x", "docker.io/acme/x"),
        ("docker.io", "docker.io/library/docker.io"),
        # what stands before the first slash is a host with a dot, a colon, a capital, or as localhost
        ("localhost/x", "localhost/x"),
        ("localhost:5000/x", "localhost:5000/x"),
        ("localhosts/x", "docker.io/localhosts/x"),
        ("registry:5000/acme/x", "registry:5000/acme/x"),
        ("Registry/acme/x", "registry:443/acme/x"),
        ("registry:443/acme/x", "registry:443/acme/x"),
        ("LOCALHOST:443/x", "localhost/x"),
        ("ghcr.io/acme/x", "ghcr.io/acme/x"),
        ("GHCR.io:443/acme/x", "ghcr.io/acme/x"),
        ("ghcr.io:444/acme/x", "ghcr.io:444/acme/x"),
        ("ghcr.io/nginx", "ghcr.io/nginx"),
        ("[::1]:5000/x", "[::1]:5000/x"),
        ("127.0.0.1:443/x", "127.0.0.1/x"),
        ("gcr.io/library/nginx", "gcr.io/library/nginx"),
        ("acme/docker.io/x", "docker.io/acme/docker.io/x"),
    ],
)
def test_every_spelling_of_a_repository_has_one_name(spelled, name):
    assert canonical(spelled) == name
    assert canonical(name) == name
    assert same_repository(spelled, name)


@pytest.mark.parametrize(
    ("one", "other"),
    [("nginx", "acme/nginx"), ("acme/x", "ghcr.io/acme/x"), ("localhost/x", "x"), ("ghcr.io/a/x", "ghcr.io/A/x"),
     ("library/acme/x", "acme/x"), ("ghcr.io:5000/x", "ghcr.io/x")],
)  # fmt: skip
def test_different_repositories_have_different_names(one, other):
    assert not same_repository(one, other)


@given(st.text())
def test_the_name_of_a_name_is_itself(text):
    assert canonical(canonical(text)) == canonical(text)


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("nginx", ("nginx", "", "")),
        ("nginx:1", ("nginx", "1", "")),
        (f"nginx@{DIGEST}", ("nginx", "", DIGEST)),
        (f"localhost:5000/x:1@{DIGEST}", ("localhost:5000/x", "1", DIGEST)),
        ("localhost:5000/x", ("localhost:5000/x", "", "")),
    ],
)
def test_the_parts_of_a_reference(reference, parts):
    assert split(reference) == Reference(*parts)


def test_a_digest_alone_is_known():
    assert is_digest(DIGEST)
    assert is_digest("sha512:" + "ab" * 64)
    assert not is_digest("sha256:ab")
    assert not is_digest("v1")
    assert not is_digest(f"x@{DIGEST}")
