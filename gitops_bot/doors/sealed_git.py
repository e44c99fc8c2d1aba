"""Git as it speaks to other hosts: sealed, with one credential for one place, and with what went wrong in our words.

No configuration of the user or the machine, no credential helper, no prompt, no redirect, and only the protocol of the
URL that was allowed. A credential reaches git in its environment, bound to the URL; an SSH key lies in memory only.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gitops_bot.doors import process
from gitops_bot.doors.credentials import Access, Keyring
from gitops_bot.doors.deploy_key import OPTIONS, checked_key, host_lines
from gitops_bot.errors import FetchError, UsageError
from gitops_bot.model import url as urls
from gitops_bot.model.url import Url

_PASSED = ("PATH", "SSH_AUTH_SOCK", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy",
           "ALL_PROXY", "all_proxy")  # fmt: skip
_BUNDLES = ("GIT_SSL_CAINFO", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_SAFE = ("-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "maintenance.auto=false",
         "-c", "credential.helper=", "-c", "http.followRedirects=false", "-c", "core.askPass=",
         "-c", "fetch.recurseSubmodules=false", "-c", "fetch.unpackLimit=1", "-c", "protocol.version=2")  # fmt: skip
_REDIRECTED = re.compile(r"returned error: 30[1278]")
_IS_URL = re.compile(r"(?:^|=)URL$")
_REFUSED = ("could not read Username", "Authentication failed", "error: 401", "error: 403", "Permission denied",
            "terminal prompts disabled", "not found")  # fmt: skip
_UNTRUSTED = ("certificate problem", "certificate verification failed")
"""In the words of OpenSSL, and of GnuTLS, with which Debian builds git."""
_OTHER_HOST = ("Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED")


class SealedGit:
    """Runs git. One instance serves all threads of a run."""

    def __init__(self, keyring: Keyring, *, seconds: float, environment: Mapping[str, str], largest: int = 0) -> None:
        """Take what may be sent where, the time limit of one command in seconds, and the environment to pick from.

        ``largest`` is the size in bytes that no file of a fetch may exceed, 0 for any.
        """
        self._keyring = keyring
        self._limits = process.Limits(seconds=seconds, output=64 * 1024 * 1024, memory=0, file=largest)
        self._environment = environment

    def ask(self, url: Url, argv: Sequence[str], directory: Path | None = None, *, stdin: bytes = b"") -> bytes:
        """Run git against the URL (``URL`` at the end of a word in ``argv``); its standard output. Raises FetchError.

        Some hosts answer with a redirect unless the path ends in ``.git``; redirects are not followed, so the other
        spelling is tried instead.
        """
        access = self._keyring.access(url)
        spelled = str(url)
        spellings = [spelled] if spelled.endswith(".git") or url.scheme == "ssh" else [spelled, f"{spelled}.git"]
        with (
            _ssh(access) as ssh,
            _trusted(access) as trusted,
            tempfile.TemporaryDirectory(prefix="gitops-bot-git-") as scratch,
        ):
            for spelling in spellings:
                command = [word[: -len("URL")] + spelling if _IS_URL.search(word) else word for word in argv]
                settings = {
                    "GIT_ALLOW_PROTOCOL": url.scheme,
                    "GIT_SSH_COMMAND": ssh,
                    **trusted,
                    **_header(access, spelling),
                }
                ended = self._run(command, str(directory or scratch), {"HOME": scratch, **settings}, stdin)
                if ended.code == 0 and not ended.stopped:
                    return ended.stdout
                if not _REDIRECTED.search(ended.stderr):
                    break
        raise _failed(url, ended)

    def run(self, argv: Sequence[str], directory: str) -> process.Finished:
        """Run git alone: nothing that is missing can be fetched behind our back. Raises FetchError without git."""
        return self._run(argv, directory, {"HOME": "/nonexistent", "GIT_ALLOW_PROTOCOL": "none"}, b"")

    def _run(self, argv: Sequence[str], cwd: str, settings: Mapping[str, str], stdin: bytes) -> process.Finished:
        environment = {name: self._environment[name] for name in _PASSED if self._environment.get(name)}
        bundle = next((self._environment[name] for name in _BUNDLES if self._environment.get(name)), "")
        environment |= {
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_HTTP_LOW_SPEED_LIMIT": "1",
            "GIT_HTTP_LOW_SPEED_TIME": "30",
            **({"GIT_SSL_CAINFO": bundle} if bundle else {}),
            **settings,
        }
        try:
            return process.run(
                ["git", *_SAFE, *argv], cwd=cwd, env=environment, stdin=stdin, limits=self._limits, network=True
            )
        except FileNotFoundError as error:
            raise FetchError("git was not found on PATH", hint="install git 2.38 or newer") from error


def _header(access: Access, spelling: str) -> dict[str, str]:
    """The credential as configuration in the environment, scoped by git itself to the one place that is asked."""
    if not access.header:
        return {}
    place = re.sub(r"(?<=://)[^/]*@", "", spelling)
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{place}.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: {access.header}",
    }


@contextlib.contextmanager
def _trusted(access: Access) -> Iterator[dict[str, str]]:
    """The settings for the block by which a host's certificate is trusted."""
    if not access.authorities:
        yield {}
        return
    with _readable(access.authorities) as path:
        yield {"GIT_SSL_CAINFO": path}


@contextlib.contextmanager
def _ssh(access: Access) -> Iterator[str]:
    """The ssh command for the block: with this key and these hosts and nothing else, or with what an agent has."""
    if not access.key:
        yield "ssh -oBatchMode=yes -oConnectTimeout=10"
        return
    try:
        key, hosts = checked_key(access.key), host_lines(access.known_hosts)
    except UsageError as error:
        raise FetchError(error.message, hint=error.hint) from None
    with _readable(key) as identity, _readable(hosts) as known:
        yield shlex.join(("ssh", *OPTIONS, "-i", identity, "-o", f"UserKnownHostsFile={known}"))


@contextlib.contextmanager
def _readable(content: str) -> Iterator[str]:
    """A path by which programs of this user read a text that lies on no disk, where the platform allows that."""
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("gitops-bot")
        try:
            os.fchmod(handle, 0o600)
            with open(handle, "w", encoding="utf-8", closefd=False) as file:
                file.write(content)
            yield f"/proc/{os.getpid()}/fd/{handle}"
        finally:
            os.close(handle)
        return
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="gitops-bot-") as file:
        file.write(content)
        file.flush()
        yield file.name


def _failed(url: Url, ended: process.Finished) -> FetchError:
    name, said = urls.shown(str(url)), ended.stderr
    if ended.stopped:
        return FetchError(f"{name}: git was stopped after {ended.stopped}", hint="try again later")
    if _REDIRECTED.search(said):
        return FetchError(f"{name} redirects to another place", hint="write the new URL of the repository")
    if any(sign in said for sign in _OTHER_HOST):
        return FetchError(
            f"{name}: the host's key is not the one that is known",
            hint="compare it with what the host's owner publishes, then add it to the known hosts",
        )
    if any(sign in said for sign in _UNTRUSTED):
        return FetchError(
            f"{name}: the host's TLS certificate is not trusted",
            hint="give its CA: SSL_CERT_FILE, or in the cluster the ConfigMap argocd-tls-certs-cm with the host as key",
        )
    if any(sign in said for sign in _REFUSED):
        return FetchError(
            f"{name}: no such repository, or no access to it",
            hint="check the URL, or give it a login: a repository Secret in the cluster, fetch credentials in CI",
        )
    return FetchError(f"{name}: git: {last_line(said)}", hint="check the URL and the network")


def last_line(text: str) -> str:
    """The last line of git's message, without what looks like a credential."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return re.sub(r"(?<=://)[^/\s]*@", "", lines[-1])[:300] if lines else "no message"
