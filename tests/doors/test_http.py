"""The HTTP door against a real server with faults."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from gitops_bot.doors import http
from gitops_bot.doors.credentials import Credential, Credentials
from gitops_bot.errors import FetchError
from gitops_bot.model import url as urls
from tests.servers import Certificate, Server, cut_short, drips, gives, in_turn, redirects, silent

QUICK = http.Limits(connect=2.0, idle=0.3, total=1.0, pause=0.01)


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client(pauses: list[float]) -> Iterator[http.Client]:
    made = http.Client(limits=QUICK, wait=pauses.append)
    yield made
    made.close()


@pytest.fixture
def released() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def trusted(*prefixes: str) -> Callable[[str], http.Reach]:
    return lambda url: "trusted" if url.startswith(prefixes) else "refused"


def bound(place: str, header: str = "Bearer s3cret") -> Credentials:
    return Credentials((Credential(urls.parse(place), header),))


def test_a_body_comes_whole(server: Server, client: http.Client) -> None:
    body = bytes(range(256)) * 2000
    server.routes["/a"] = gives(body)
    answer = client.get(f"{server.url}/a", trusted(server.url))
    assert (answer.status, answer.body, answer.url) == (200, body, f"{server.url}/a")
    assert server.seen[0].headers["accept-encoding"] == "identity"


def test_a_url_that_is_not_allowed_is_never_asked(server: Server, client: http.Client) -> None:
    with pytest.raises(FetchError, match="not allowed by the base revision") as caught:
        client.get(f"{server.url}/a?token=s3cret", trusted("https://elsewhere.example"))
    assert "fetch.allow" in caught.value.hint
    assert "s3cret" not in caught.value.message
    assert server.seen == []


def test_compression_on_the_way_is_undone_only_where_it_was_asked_for(server: Server, client: http.Client) -> None:
    packed = gzip.compress(b"entries: {}\n")
    server.routes["/"] = gives(packed, Content_Encoding="gzip")
    assert client.get(f"{server.url}/index", trusted(server.url), compressed=True).body == b"entries: {}\n"
    assert client.get(f"{server.url}/archive", trusted(server.url)).body == packed


def test_what_may_pass_is_tried_again_and_what_does_not_is_told(
    server: Server, client: http.Client, pauses: list[float]
) -> None:
    server.routes["/later"] = in_turn(gives(b"", 500), gives(b"", 429, Retry_After="3"), gives(b"here"))
    assert client.get(f"{server.url}/later", trusted(server.url)).body == b"here"
    assert pauses == [0.01, 3.0]
    server.routes["/never"] = gives(b"", 503)
    with pytest.raises(FetchError, match=r"HTTP 503 \(3 attempts\)"):
        client.get(f"{server.url}/never", trusted(server.url))
    assert server.paths().count("/never") == 3
    server.routes["/gone"] = gives(b"", 404)
    assert client.get(f"{server.url}/gone", trusted(server.url)).status == 404
    assert server.paths().count("/gone") == 1


def test_a_wait_asked_for_by_the_server_has_an_end(server: Server, client: http.Client, pauses: list[float]) -> None:
    server.routes["/"] = in_turn(gives(b"", 503, Retry_After="86400"), gives(b"ok"))
    assert client.get(server.url, trusted(server.url)).body == b"ok"
    assert pauses == [10.0]


def test_a_cut_body_is_tried_again(server: Server, client: http.Client) -> None:
    body = b"x" * 200_000
    server.routes["/a"] = in_turn(cut_short(body, 100_000), gives(body))
    assert client.get(f"{server.url}/a", trusted(server.url)).body == body
    server.routes["/b"] = cut_short(body, 100_000)
    with pytest.raises(FetchError, match="cut short"):
        client.get(f"{server.url}/b", trusted(server.url))


def test_a_server_that_is_silent_or_drips_is_left(
    server: Server, client: http.Client, released: threading.Event
) -> None:
    server.routes["/silent"] = silent(released)
    server.routes["/drips"] = drips(released)
    started = time.monotonic()
    with pytest.raises(FetchError, match=r"no answer for 0\.3 s"):
        client.get(f"{server.url}/silent", trusted(server.url))
    with pytest.raises(FetchError, match="not complete within 1 s"):
        client.get(f"{server.url}/drips", trusted(server.url))
    assert time.monotonic() - started < 10


def test_nobody_listening_is_said(client: http.Client) -> None:
    with pytest.raises(FetchError, match="connection was refused"):
        client.get("http://127.0.0.1:9/a", trusted("http://127.0.0.1:9"))


def test_size_is_limited_also_for_what_compression_hides(server: Server, client: http.Client) -> None:
    server.routes["/plain"] = gives(b"x" * 3_000_000)
    server.routes["/bomb"] = gives(gzip.compress(b"x" * 50_000_000), Content_Encoding="gzip")
    for path in ("/plain", "/bomb"):
        with pytest.raises(FetchError, match="larger than 2 MiB"):
            client.get(server.url + path, trusted(server.url), compressed=True, size=2 * 1024 * 1024)


def test_redirects_are_followed_where_allowed_and_counted(server: Server, client: http.Client) -> None:
    server.routes["/a"] = redirects("/b")
    server.routes["/b"] = redirects(f"{server.url}/c", 307)
    server.routes["/c"] = gives(b"there")
    assert client.get(f"{server.url}/a", trusted(server.url)).url == f"{server.url}/c"
    server.routes["/loop"] = redirects("/loop")
    with pytest.raises(FetchError, match="redirects more than 5 times"):
        client.get(f"{server.url}/loop", trusted(server.url))
    assert server.paths().count("/loop") == 6


@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://169.254.169.254/latest", "//evil.example/x",
                                    "gopher://evil.example/"])  # fmt: skip
def test_a_redirect_elsewhere_is_refused(server: Server, client: http.Client, target: str) -> None:
    server.routes["/a"] = redirects(target)
    with pytest.raises(FetchError, match=r"leads to .* not allowed by the base revision"):
        client.get(f"{server.url}/a", trusted(f"{server.url}/"))


def test_credentials_go_to_their_own_place_only(server: Server, other_server: Server) -> None:
    server.routes["/team/a"] = redirects(f"{other_server.url}/team/a")
    server.routes["/teams/a"] = gives(b"")
    other_server.routes["/"] = gives(b"there")
    client = http.Client(bound(f"{server.url}/team"), limits=QUICK)
    reach = trusted(server.url, other_server.url)
    assert client.get(f"{server.url}/team/a", reach).body == b"there"
    client.get(f"{server.url}/teams/a", reach)
    client.close()
    assert [seen.headers.get("authorization") for seen in server.seen] == ["Bearer s3cret", None]
    assert "authorization" not in other_server.seen[0].headers


def test_a_token_for_the_first_hop_is_not_carried_on(server: Server, other_server: Server, client: http.Client) -> None:
    server.routes["/a"] = redirects(f"{other_server.url}/b")
    other_server.routes["/b"] = gives(b"")
    reach = trusted(server.url, other_server.url)
    client.get(f"{server.url}/a", reach, authorization="Bearer first", headers={"X-Own": "1"})
    assert server.seen[0].headers["authorization"] == "Bearer first"
    assert not {"authorization", "x-own"} & set(other_server.seen[0].headers)


def test_netrc_and_cookies_are_never_used(
    server: Server, client: http.Client, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ada password s3cret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.routes["/"] = gives(b"", Set_Cookie="session=1; Path=/")
    for _ in range(2):
        client.get(server.url, trusted(server.url))
    assert all(not {"authorization", "cookie"} & set(seen.headers) for seen in server.seen)


def test_a_public_place_gets_no_credential_and_must_have_a_public_address(
    tls_server: Server, tls_name: str, certificate: Certificate
) -> None:
    tls_server.routes["/a"] = gives(b"there")
    url = f"https://{tls_name}:{tls_server.port}/a"
    environment = {"REQUESTS_CA_BUNDLE": str(certificate.certificate)}
    credentials = bound(f"https://{tls_name}:{tls_server.port}")
    public = http.Client(credentials, limits=QUICK, environment=environment, resolve=lambda _: ["1.1.1.1"])
    assert public.get(url, lambda _: "public").body == b"there"
    assert "authorization" not in tls_server.seen[0].headers
    for address in ("127.0.0.1", "10.0.0.8", "169.254.169.254", "::1", "fd00::1", "::ffff:10.0.0.1", "224.0.0.1"):
        private = http.Client(
            limits=QUICK, environment=environment, resolve=lambda _, found=address: ["1.1.1.1", found]
        )
        with pytest.raises(FetchError, match="private address"):
            private.get(url, lambda _: "public")
    assert len(tls_server.seen) == 1


def test_an_unknown_certificate_is_not_accepted(tls_server: Server, client: http.Client) -> None:
    with pytest.raises(FetchError, match="TLS certificate was not accepted") as caught:
        client.get(f"{tls_server.url}/a", trusted(tls_server.url))
    assert "REQUESTS_CA_BUNDLE" in caught.value.hint
    assert tls_server.seen == []


def test_a_credential_does_not_print_itself() -> None:
    assert "s3cret" not in repr(bound("https://charts.example.org"))
