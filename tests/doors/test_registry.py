"""OCI registries: a real one, filled by Helm, and a scripted one for faults and tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from gitops_bot.doors import http
from gitops_bot.doors.credentials import Credential, Credentials
from gitops_bot.doors.registry import Place, Registry
from gitops_bot.errors import FetchError
from gitops_bot.model import url as urls
from tests.servers import (
    Certificate,
    Handler,
    Route,
    Server,
    asks_login,
    bcrypt_line,
    gives,
    package,
    redirects,
    registry,
    run_helm,
    sha256,
)

LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
BASIC = "Basic YWRhOnMzY3JldA=="
QUICK = http.Limits(connect=2.0, idle=2.0, total=5.0, pause=0.01)
BLOB = b"a chart, as far as this test goes"
MANIFEST = json.dumps(
    {"schemaVersion": 2, "layers": [{"mediaType": LAYER, "digest": f"sha256:{sha256(BLOB)}", "size": len(BLOB)}]}
).encode()


def refuse(_: str) -> http.Reach:
    return "refused"


@pytest.fixture
def client() -> Iterator[http.Client]:
    made = http.Client(limits=QUICK)
    yield made
    made.close()


@pytest.fixture
def scripted(server: Server) -> Server:
    """A registry with ``team/app``, one tag."""
    server.routes["/v2/team/app/manifests/1.0.0"] = gives(MANIFEST)
    server.routes[f"/v2/team/app/blobs/sha256:{sha256(BLOB)}"] = gives(BLOB)
    return server


def app(server: Server) -> Place:
    return Place(server.url, "team/app")


def test_a_pushed_chart_is_found_and_read(oci_registry: str, packed_charts: Path, client: http.Client) -> None:
    place = Place(f"http://{oci_registry}", "team/app")
    door = Registry(client, refuse)
    assert set(door.tags(place)) == {"0.9.0_build.7", "1.0.0", "1.1.0", "1.10.2", "2.0.0-rc.1"}
    digest, manifest = door.manifest(place, "1.10.2")
    assert [layer.media_type for layer in manifest.layers] == [LAYER]
    assert door.blob(place, manifest.layers[0].digest) == (packed_charts / "app-1.10.2.tgz").read_bytes()
    assert door.manifest(place, digest) == (digest, manifest)


def test_a_missing_tag_and_a_missing_repository_are_told(oci_registry: str, client: http.Client) -> None:
    door = Registry(client, refuse)
    with pytest.raises(FetchError, match=r"no such tag or repository \(team/app/manifests/9\.9\.9\)"):
        door.manifest(Place(f"http://{oci_registry}", "team/app"), "9.9.9")
    with pytest.raises(FetchError, match="no such tag or repository"):
        door.tags(Place(f"http://{oci_registry}", "team/nothing"))


def test_a_registry_with_a_password_takes_the_credential_bound_to_it(
    helm: str, tmp_path: Path, client: http.Client
) -> None:
    (tmp_path / "htpasswd").write_text(bcrypt_line("ada", "s3cret") + "\n")
    auth = f"auth: {{htpasswd: {{realm: test, path: {tmp_path / 'htpasswd'}}}}}\n"
    with registry(tmp_path, auth) as address:
        run_helm(helm, "registry", "login", address, "-u", "ada", "-p", "s3cret", "--plain-http", cwd=tmp_path)
        archive = package(helm, tmp_path, "app", "1.0.0")
        run_helm(helm, "push", str(archive), f"oci://{address}/team", "--plain-http", cwd=tmp_path)
        place = Place(f"http://{address}", "team/app")
        with pytest.raises(FetchError, match="refuses access") as caught:
            Registry(client, refuse).tags(place)
        assert "docker login" in caught.value.hint
        credentials = Credentials((Credential(urls.parse(f"http://{address}"), BASIC),))
        assert Registry(http.Client(credentials, limits=QUICK), refuse).tags(place) == ("1.0.0",)


def wants_token(realm: str, route: Route, seen: list[str]) -> Route:
    """A route that only answers to the token ``t0ken``."""

    def answer(handler: Handler) -> None:
        seen.append(handler.headers.get("Authorization", ""))
        if seen[-1] != "Bearer t0ken":
            challenge = f'Bearer realm="{realm}",service="registry.test",scope="repository:team/app:pull"'
            handler.reply(401, b"", {"WWW-Authenticate": challenge})
        else:
            route(handler)

    return answer


def test_a_token_of_the_same_host_is_fetched_once_and_asked_for_with_the_credential(scripted: Server) -> None:
    seen: list[str] = []
    place = app(scripted)
    real = scripted.routes.copy()
    for prefix, route in real.items():
        scripted.routes[prefix] = wants_token(f"{scripted.url}/token", route, seen)
    scripted.routes["/token"] = asks_login(gives(b'{"token": "t0ken"}'), "ada", "s3cret")
    credentials = Credentials((Credential(urls.parse(f"{scripted.url}/team"), BASIC),))
    door = Registry(http.Client(credentials, limits=QUICK), refuse)
    _, manifest = door.manifest(place, "1.0.0")
    assert door.blob(place, manifest.layers[0].digest) == BLOB
    assert seen == ["", "Bearer t0ken", "Bearer t0ken"]
    (asked,) = [one.path for one in scripted.seen if one.path.startswith("/token")]
    assert parse_qs(urlsplit(asked).query) == {"service": ["registry.test"], "scope": ["repository:team/app:pull"]}


def test_another_host_gets_no_credential_for_a_token(
    scripted: Server, tls_server: Server, tls_name: str, certificate: Certificate
) -> None:
    seen: list[str] = []
    realm = f"https://{tls_name}:{tls_server.port}/token"
    scripted.routes["/v2/"] = wants_token(realm, gives(MANIFEST), seen)
    scripted.routes.pop("/v2/team/app/manifests/1.0.0")
    tls_server.routes["/token"] = gives(b'{"access_token": "t0ken"}')
    environment = {"REQUESTS_CA_BUNDLE": str(certificate.certificate)}
    credentials = Credentials((Credential(urls.parse(scripted.url), BASIC),))
    client = http.Client(credentials, limits=QUICK, environment=environment, resolve=lambda _: ["1.1.1.1"])
    Registry(client, lambda _: "public").manifest(app(scripted), "1.0.0")
    assert "authorization" not in tls_server.seen[0].headers
    own = Credential(urls.parse(realm), "Basic b3duOm93bg==")
    client = http.Client(Credentials((*credentials.entries, own)), limits=QUICK, environment=environment)
    Registry(client, refuse).manifest(app(scripted), "1.0.0")
    assert tls_server.seen[1].headers["authorization"] == own.header


@pytest.mark.parametrize("realm", ["http://169.254.169.254/token", "file:///etc/passwd", "//x/y", ""])
def test_a_realm_elsewhere_is_refused(scripted: Server, client: http.Client, realm: str) -> None:
    seen: list[str] = []
    scripted.routes["/v2/team/app/manifests/1.0.0"] = wants_token(realm, gives(MANIFEST), seen)
    with pytest.raises(FetchError):
        Registry(client, refuse).manifest(app(scripted), "1.0.0")
    assert seen == [""]


def test_a_token_is_never_asked_of_a_place_that_is_not_allowed(
    scripted: Server, other_server: Server, client: http.Client
) -> None:
    """Neither by the realm itself, nor by a redirect of the registry's own token service."""
    other_server.routes["/"] = gives(b'{"token": "t0ken"}')
    scripted.routes["/token"] = redirects(f"{other_server.url}/token")
    for realm in (f"{other_server.url}/token", f"{scripted.url}/token"):
        scripted.routes["/v2/team/app/manifests/1.0.0"] = wants_token(realm, gives(MANIFEST), [])
        with pytest.raises(FetchError, match="not allowed"):
            Registry(client, refuse).manifest(app(scripted), "1.0.0")
    assert other_server.seen == []


def test_content_must_have_its_digest(scripted: Server, client: http.Client) -> None:
    door = Registry(client, refuse)
    scripted.routes[f"/v2/team/app/blobs/sha256:{sha256(BLOB)}"] = gives(BLOB + b"!")
    with pytest.raises(FetchError, match="does not have the digest"):
        door.blob(app(scripted), f"sha256:{sha256(BLOB)}")
    scripted.routes["/v2/team/app/manifests/sha256:"] = gives(MANIFEST + b" ")
    with pytest.raises(FetchError, match="does not have the digest"):
        door.manifest(app(scripted), f"sha256:{sha256(MANIFEST)}")


def test_a_layer_may_lie_elsewhere_but_a_manifest_may_not(
    scripted: Server, other_server: Server, client: http.Client
) -> None:
    other_server.routes["/"] = gives(BLOB)
    scripted.routes[f"/v2/team/app/blobs/sha256:{sha256(BLOB)}"] = redirects(f"{other_server.url}/signed?key=1", 307)
    allowed = Registry(client, lambda url: "trusted" if url.startswith(other_server.url) else "refused")
    assert allowed.blob(app(scripted), f"sha256:{sha256(BLOB)}") == BLOB
    with pytest.raises(FetchError, match="not allowed"):
        Registry(client, refuse).blob(app(scripted), f"sha256:{sha256(BLOB)}")
    scripted.routes["/v2/team/app/manifests/1.0.0"] = redirects(f"{other_server.url}/manifest")
    with pytest.raises(FetchError, match="not allowed"):
        allowed.manifest(app(scripted), "1.0.0")


def test_tags_come_in_pages(scripted: Server, client: http.Client) -> None:
    def tags(handler: Handler) -> None:
        last = parse_qs(urlsplit(handler.path).query).get("last")
        if last:
            handler.reply(200, b'{"tags": ["2.0.0"]}')
        else:
            handler.reply(200, b'{"tags": ["1.0.0"]}', {"Link": '</v2/team/app/tags/list?last=1.0.0>; rel="next"'})

    scripted.routes["/v2/team/app/tags/list"] = tags
    assert Registry(client, refuse).tags(app(scripted)) == ("1.0.0", "2.0.0")
    scripted.routes["/v2/team/app/tags/list"] = gives(b'{"tags": null}')
    assert Registry(client, refuse).tags(app(scripted)) == ()


def test_tags_never_lead_elsewhere(scripted: Server, other_server: Server, client: http.Client) -> None:
    for link in (f"{other_server.url}/v2/team/app/tags/list", "/v2/team/app/../../secret/tags/list", "/v2/team/apps"):
        scripted.routes["/v2/team/app/tags/list"] = gives(b'{"tags": ["1.0.0"]}', Link=f'<{link}>; rel="next"')
        with pytest.raises(FetchError, match="not allowed"):
            Registry(client, refuse).tags(app(scripted))
    assert other_server.seen == []
    assert set(scripted.paths()) == {"/v2/team/app/tags/list?n=1000"}


@pytest.mark.parametrize("name", ["../../etc", "Team/App", "team//app", "team/app?x", ""])
def test_names_that_are_none_are_refused(scripted: Server, client: http.Client, name: str) -> None:
    with pytest.raises(FetchError, match="not a repository"):
        Registry(client, refuse).manifest(Place(scripted.url, name), "1.0.0")
    assert scripted.seen == []


@pytest.mark.parametrize("tag", ["../x", "a/b", "", "-x", "x" * 200, "sha256:12"])
def test_tags_that_are_none_are_refused(scripted: Server, client: http.Client, tag: str) -> None:
    with pytest.raises(FetchError, match="not a tag"):
        Registry(client, refuse).manifest(app(scripted), tag)
    assert scripted.seen == []


def test_an_answer_of_another_form_is_said(scripted: Server, client: http.Client) -> None:
    scripted.routes["/v2/team/app/manifests/1.0.0"] = gives(b"<html>")
    with pytest.raises(FetchError, match="not in the expected form"):
        Registry(client, refuse).manifest(app(scripted), "1.0.0")
