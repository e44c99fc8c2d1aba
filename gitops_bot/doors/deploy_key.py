"""A repository reached with a deploy key: SSH that knows this key, the given host keys, and nothing else."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from gitops_bot.doors.history import Origin
from gitops_bot.errors import UsageError

OPTIONS = (
    "-F", os.devnull,
    "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20",
    "-o", "StrictHostKeyChecking=yes", "-o", f"GlobalKnownHostsFile={os.devnull}", "-o", "UpdateHostKeys=no",
    "-o", "ForwardAgent=no", "-o", "ClearAllForwardings=yes", "-o", "PermitLocalCommand=no",
)  # fmt: skip
"""What makes ssh use one key and the hosts that are known, whatever the user, the machine or the host would like."""


def checked_key(key: str) -> str:
    """A private key with real line ends. Raises UsageError, without any of it, when it is none."""
    text = key.replace("\\n", "\n").replace("\r", "").strip()
    if not text.startswith("-----BEGIN ") or "PRIVATE KEY-----" not in text:
        raise UsageError("the SSH key is no private key", hint="pass the whole file, from -----BEGIN to -----END")
    return f"{text}\n"


def host_lines(known_hosts: str) -> str:
    """The lines of known hosts that count. Raises UsageError where there is none."""
    lines = [line for line in known_hosts.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        raise UsageError(
            "known_hosts is needed with an SSH key",
            hint="pass the host's keys, for GitHub those of https://api.github.com/meta (ssh_keys)",
        )
    return "".join(f"{line}\n" for line in lines)


def with_deploy_key(url: str, key: str, known_hosts: str, *, scratch: Path) -> Origin:
    """An origin by SSH (``ssh://git@github.com/acme/shop.git`` or ``git@github.com:acme/shop.git``).

    ``key`` is the private key (PEM or OpenSSH, without passphrase), ``known_hosts`` the lines that ``ssh-keyscan``
    prints for the host, compared with what the host's owner publishes: without them anybody could stand in for it. Both
    are written to ``scratch``, which the caller removes, readable for this user only. Raises UsageError.
    """
    if url.startswith(("https://", "http://")) or ("://" not in url and ":" not in url):
        raise UsageError("a deploy key reaches a repository by SSH", hint="write it as git@github.com:owner/name.git")
    identity, hosts = scratch / "deploy-key", scratch / "known-hosts"
    for path, content in ((identity, checked_key(key)), (hosts, host_lines(known_hosts))):
        path.unlink(missing_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(content)
    ssh = ("ssh", *OPTIONS, "-i", str(identity), "-o", f'UserKnownHostsFile="{hosts}"')
    return Origin(url, ssh=shlex.join(ssh))
