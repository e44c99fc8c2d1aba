"""A control plane out of release files, from a server on loopback with the projects' own paths and small archives."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.controlplane.plugin import PROGRAMS
from tests.controlplane.programs import MISSING, NAMES, STAGES, bring_programs, find_programs, is_complete
from tests.controlplane.releases import ETCD, KUBERNETES, KWOK, RELEASES, Limits, NotDownloaded, Release, download
from tests.servers import Server, cut_short, drips, gives, redirects, silent

HERE = Path(__file__).parent
FILES = {*NAMES, *(f"{stage}.yaml" for stage in STAGES)}


def archive(members: Sequence[tuple[str, bytes | None]]) -> bytes:
    """A ``.tar.gz`` of files, and of links to elsewhere where the content is None."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as made:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if content is None:
                member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            member.size = len(content or b"")
            made.addfile(member, io.BytesIO(content or b""))
    return packed.getvalue()


def content_of(release: Release) -> bytes:
    """What a small stand-in of a release is: each wanted file says its name, beside others that nobody wants."""
    if "" in release.wanted.values():
        (name,) = release.wanted
        return name.encode()
    others = [("kubernetes/server/bin/kubelet", b"?"), ("etcd", b"?"), ("kubernetes/server/bin", None)]
    return archive([*others, *((path, name.encode()) for name, path in release.wanted.items())])


def served(server: Server, releases: Sequence[Release]) -> list[Release]:
    """The same releases as stand-ins on the server, below the same paths."""
    stand_ins = []
    for release in releases:
        path, content = urlsplit(release.url).path, content_of(release)
        server.routes[path] = gives(content)
        algorithm = release.digest.partition(":")[0]
        digest = f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"
        stand_ins.append(release._replace(url=server.url + path, digest=digest))
    return stand_ins


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def refused(tmp_path: Path, said: list[str]) -> Callable[..., str]:
    """Downloads what cannot be had: why it cannot. Nothing of it may be in the folder."""

    def reason(releases: Sequence[Release], limits: Limits | None = None) -> str:
        folder = tmp_path / "folder"
        with pytest.raises(NotDownloaded) as raised:
            download(releases, folder, said.append, limits)
        assert names_in(folder) == set()
        return str(raised.value)

    return reason


# -- what is pinned ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("system", sorted(RELEASES))
def test_releases_have_all_that_a_control_plane_needs(system):
    assert sorted(name for release in RELEASES[system] for name in release.wanted) == sorted(FILES)


@pytest.mark.parametrize(
    ("module", "path", "version"),
    [("kubernetes", "k8s.io/kubernetes", KUBERNETES), ("etcd", "go.etcd.io/etcd/server/v3", ETCD),
     ("kwok", "sigs.k8s.io/kwok", KWOK)],
)  # fmt: skip
def test_a_release_is_the_version_that_would_be_built(module, path, version):
    lines = (HERE / module / "go.mod").read_text().splitlines()
    assert [line.split()[1] for line in lines if line.strip().startswith(f"{path} ")] == [version]


def test_stages_are_those_that_would_be_built():
    if PROGRAMS is None:
        pytest.skip(MISSING)
    pinned = {
        name: release.digest.removeprefix("sha256:")
        for release in RELEASES["linux-amd64"]
        for name in release.wanted
        if name.endswith(".yaml")
    }
    assert {name: hashlib.sha256((PROGRAMS / name).read_bytes()).hexdigest() for name in pinned} == pinned


# -- what arrives -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("system", sorted(RELEASES))
def test_all_that_is_wanted_is_put_in_place(system, server, tmp_path, said):
    download(served(server, RELEASES[system]), tmp_path, said.append)

    assert names_in(tmp_path) == {*FILES, "complete"}
    assert {name: (tmp_path / name).read_text() for name in FILES} == {name: name for name in FILES}
    assert is_complete(tmp_path)
    assert not [stage for stage in STAGES if os.access(tmp_path / f"{stage}.yaml", os.X_OK)]


def test_redirects_lead_to_the_file_as_release_pages_do(server, tmp_path, said):
    (release,) = served(server, [kwok()])
    path = urlsplit(release.url).path
    server.routes["/assets/"], server.routes[path] = server.routes[path], redirects("/assets/kwok")

    download([release], tmp_path, said.append)

    assert (tmp_path / "kwok").read_text() == "kwok"


def test_what_a_stopped_build_has_left_is_completed(server, tmp_path, said):
    (tmp_path / "etcd").write_text("built")
    (tmp_path / ".kwok").write_text("half")

    download(served(server, RELEASES["linux-amd64"]), tmp_path, said.append)

    assert names_in(tmp_path) == {*FILES, "complete"}


def test_what_is_there_is_not_asked_for_again(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    releases = served(server, RELEASES["linux-amd64"])
    assert find_programs() is None

    folder = bring_programs(releases)
    assert folder is not None
    asked = len(server.seen)

    assert asked == len(releases)
    assert bring_programs(releases) == find_programs() == folder
    assert len(server.seen) == asked
    assert KUBERNETES in capsys.readouterr().err


def test_progress_is_told_a_few_times(server, tmp_path, said):
    content = os.urandom(12 << 20)
    server.routes["/kwok"] = gives(content)
    release = Release(f"{server.url}/kwok", f"sha256:{hashlib.sha256(content).hexdigest()}", {"kwok": ""})

    download([release], tmp_path, said.append)

    assert said[-2:] == ["12 of 12 MiB", "unpacking"]
    assert len(said) == 11


# -- what does not ----------------------------------------------------------------------------------------------------


def kwok() -> Release:
    """The one release that is not an archive."""
    return next(release for release in RELEASES["linux-amd64"] if "kwok" in release.wanted)


def test_one_wrong_hash_and_nothing_is_used(server, refused):
    releases = served(server, RELEASES["linux-amd64"])
    wrong = next(release for release in releases if "etcd" in release.wanted)
    other = archive([("etcd", b"something else")])
    server.routes[urlsplit(wrong.url).path] = gives(other)

    reason = refused(releases)

    assert reason.startswith(f"WRONG CONTENT: {wrong.url}")
    assert hashlib.sha256(other).hexdigest() in reason
    assert wrong.digest.removeprefix("sha256:") in reason


def test_a_file_that_is_not_there_is_named(server, refused):
    releases = served(server, RELEASES["linux-amd64"])
    missing = next(release for release in releases if "kube-apiserver" in release.wanted)
    del server.routes[urlsplit(missing.url).path]

    assert refused(releases) == f"{missing.url}: HTTP 404"


def test_nobody_who_listens(server, refused):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/kwok"

    # Another file that never ends is given up at once.
    ends = threading.Event()
    server.routes["/etcd"] = drips(ends)
    never_ends = Release(f"{server.url}/etcd", "sha256:", {"etcd": ""})
    assert refused([never_ends, kwok()._replace(url=url)]) == f"{url}: no connection"
    ends.set()


def test_a_server_that_accepts_and_never_answers(server, refused):
    ends = threading.Event()
    server.routes["/kwok"] = silent(ends)

    assert refused([kwok()._replace(url=f"{server.url}/kwok")], Limits(first=0.2)) == "nothing comes from 127.0.0.1"
    ends.set()


def test_a_file_that_stops_on_its_way(server, refused):
    ends = threading.Event()

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        handler.wfile.write(b"#" * 900_000)
        ends.wait(30)

    server.routes["/kwok"] = answer
    url = f"{server.url}/kwok"
    assert refused([kwok()._replace(url=url)], Limits(idle=0.2)) == f"{url}: no answer"
    ends.set()


def test_a_file_that_is_cut_short_is_not_called_another(server, refused):
    server.routes["/kwok"] = cut_short(b"x" * 1000, 10)
    url = f"{server.url}/kwok"
    assert refused([kwok()._replace(url=url)]) == f"{url}: it was cut short"


def test_a_file_that_is_too_large(server, refused):
    server.routes["/kwok"] = gives(b"x" * (3 << 20))
    url = f"{server.url}/kwok"
    assert refused([kwok()._replace(url=url)], Limits(size=2 << 20)) == f"{url} is larger than 2 MiB"


@pytest.mark.parametrize("content", [b"another", None])
def test_an_archive_without_the_file_or_with_a_link_of_that_name(content, server, refused):
    (release,) = served(server, [release for release in RELEASES["linux-amd64"] if "etcd" in release.wanted])
    (path,) = release.wanted.values()
    packed = archive([(f"{path}ctl" if content else path, content)])
    server.routes[urlsplit(release.url).path] = gives(packed)
    whole = served(server, [kwok()])

    found = release._replace(digest=f"sha256:{hashlib.sha256(packed).hexdigest()}")

    assert refused([*whole, found]) == f"{release.url} has no regular file {path}"


def test_a_run_that_is_killed_leaves_nothing(server, tmp_path):
    ends, begun = threading.Event(), threading.Event()

    def answer(handler):
        begun.set()
        drips(ends)(handler)

    server.routes["/etcd"] = answer
    (whole,) = served(server, [kwok()])
    program = (
        "import sys; from pathlib import Path; from tests.controlplane.releases import Release, download\n"
        "download([Release(*sys.argv[1:3], {'kwok': ''}), Release(sys.argv[3], 'sha256:', {'etcd': ''})],"
        " Path(sys.argv[4]), print)"
    )
    command = [sys.executable, "-c", program, whole.url, whole.digest, f"{server.url}/etcd", str(tmp_path / "folder")]
    with subprocess.Popen(command, cwd=HERE.parents[1]) as process:
        assert begun.wait(60)
        process.send_signal(signal.SIGKILL)
    ends.set()

    assert process.returncode == -signal.SIGKILL
    assert names_in(tmp_path / "folder") == set()


def test_without_a_release_for_the_machine_it_is_built(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)

    assert bring_programs([]) is None
    assert "building the control plane instead" in capsys.readouterr().err


def test_without_a_way_out_it_is_built(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)

    # The tests' own proxy, at which nobody listens.
    assert bring_programs(RELEASES["linux-amd64"]) is None
    assert "no connection\nbuilding the control plane instead" in capsys.readouterr().err
