"""A real SSH server on loopback, that gives the repositories of this machine to who has the key."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

_CONFIGURATION = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
LogLevel ERROR
"""


class SshHost(NamedTuple):
    """Where it is and what opens it."""

    port: int
    key: str
    """The private key that it takes."""
    known_hosts: str

    def url(self, path: Path) -> str:
        """Of a repository of this machine."""
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{path}"


def make_key(path: Path) -> str:
    """A private key without passphrase; beside it lies the public one."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path.read_text()


@pytest.fixture(scope="session")
def ssh_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshHost]:
    program = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    if program is None or shutil.which("ssh") is None:
        pytest.skip("there is no sshd; apt-get install openssh-server")
    folder = tmp_path_factory.mktemp("sshd")
    key = make_key(folder / "client")
    make_key(folder / "host")
    shutil.copy(folder / "client.pub", folder / "authorized")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "configuration").write_text(_CONFIGURATION.format(port=port, folder=folder))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd as root does not start without it
    public = " ".join((folder / "host.pub").read_text().split()[:2])
    with subprocess.Popen([program, "-D", "-f", str(folder / "configuration")]) as server:
        try:
            _until_listening(port, server)
            yield SshHost(port, key, f"[127.0.0.1]:{port} {public}\n")
        finally:
            server.terminate()


def _until_listening(port: int, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert server.poll() is None, "sshd ended"
        assert time.monotonic() < end, "sshd does not answer"
        time.sleep(0.02)
