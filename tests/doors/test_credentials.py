"""Credentials: read from two files, bound to one place each."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from gitops_bot.doors.credentials import VARIABLE, Credentials, load
from gitops_bot.errors import UsageError


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def from_file(tmp_path: Path, content: object) -> Credentials:
    path = tmp_path / "credentials.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return load({VARIABLE: str(path)})


def from_docker(tmp_path: Path, content: object) -> Credentials:
    (tmp_path / "config.json").write_text(json.dumps(content))
    return load({"DOCKER_CONFIG": str(tmp_path)})


def test_each_place_gets_its_own(tmp_path: Path) -> None:
    found = from_file(tmp_path, [
        {"url": "https://charts.example.org", "username": "ada", "password": "one"},
        {"url": "https://charts.example.org/team/", "token": "two"},
        {"url": "https://github.com/acme/repo", "username": "x-access-token", "password": "three"},
    ])  # fmt: skip
    assert found.header("https://charts.example.org/index.yaml") == basic("ada", "one")
    assert found.header("https://charts.example.org/team/index.yaml") == "Bearer two"
    assert found.header("https://charts.example.org/teams/index.yaml") == basic("ada", "one")
    for other in ("https://charts.example.org.evil/team", "http://charts.example.org/team", "https://github.com/acme",
                  "https://charts.example.org:8443/", "https://github.com/acme/repo2", "not a url", ""):  # fmt: skip
        assert found.header(other) == ""


def test_dockers_logins_are_for_their_own_registry(tmp_path: Path) -> None:
    auth = base64.b64encode(b"ada:s3cret").decode()
    found = from_docker(tmp_path, {
        "auths": {"ghcr.io": {"auth": auth}, "https://index.docker.io/v1/": {"auth": auth}, "empty.example": {},
                  "127.0.0.1:5000": {"auth": auth}, "https://quay.example/v2/": {"auth": auth},
                  ":bad:": {"auth": auth}},
        "credsStore": "desktop",
    })  # fmt: skip
    for place in ("https://ghcr.io/acme/app", "https://registry-1.docker.io/library/x", "https://auth.docker.io/token",
                  "http://127.0.0.1:5000/team/app"):  # fmt: skip
        assert found.header(place) == basic("ada", "s3cret"), place
    for other in ("https://empty.example/x", "https://ghcr.io.evil/x", "http://ghcr.io/x", "https://docker.io.evil/x",
                  "https://auth.docker.io/other", "https://127.0.0.1:5000/x"):  # fmt: skip
        assert found.header(other) == "", other


def test_nothing_named_is_nothing_known(tmp_path: Path) -> None:
    assert load({}) == Credentials()
    assert load({"HOME": str(tmp_path)}) == Credentials()
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text("{broken")
    assert load({"HOME": str(tmp_path)}) == Credentials()


@pytest.mark.parametrize("content", ["{", "{}", '[{"url": 1}]', '[{"url": "https://x.example", "pasword": "s3cret"}]',
                         '[{"url": "https://ada:s3cret@x.example"}]', '[{"url": "s3cret"}]', "[s3cret]"])  # fmt: skip
def test_a_file_of_another_form_is_an_error_that_quotes_nothing(tmp_path: Path, content: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_file(tmp_path, content)
    assert VARIABLE in caught.value.message
    assert "s3cret" not in caught.value.message + caught.value.hint


def test_every_problem_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        from_file(tmp_path, [{"url": "https://x.example", "password": "a", "token": "b"}, {"token": "c"}])
    assert [line.partition(": ")[2].partition(": ")[2] for line in caught.value.message.splitlines()] == [
        "entry 1 has both a password and a token", "entry 2 has no url",
    ]  # fmt: skip


@pytest.mark.parametrize(("written", "asked"), [
    ("oci://ghcr.io/acme", "https://ghcr.io/acme/charts/app"), ("oci+http://127.0.0.1:5000", "http://127.0.0.1:5000/v2/"),
    ("https://ada@github.com/acme", "https://github.com/acme/x.git"),
])  # fmt: skip
def test_a_registry_may_be_written_as_in_an_application(tmp_path: Path, written: str, asked: str) -> None:
    assert from_file(tmp_path, [{"url": written, "token": "two"}]).header(asked) == "Bearer two"


def test_an_empty_secret_is_told_and_sends_nothing(tmp_path: Path) -> None:
    found = from_file(tmp_path, [{"url": "https://x.example", "username": "ci", "password": ""},
                                 {"url": "https://y.example", "token": None}])  # fmt: skip
    assert found.unset == ("https://x.example", "https://y.example")
    assert found.header("https://x.example/index.yaml") == found.header("https://y.example") == ""


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load({VARIABLE: str(tmp_path / "nothing")})


def test_nothing_prints_a_secret(tmp_path: Path) -> None:
    found = from_file(tmp_path, [{"url": "https://x.example", "token": "s3cret"}])
    assert "s3cret" not in repr(found) + str(found)
