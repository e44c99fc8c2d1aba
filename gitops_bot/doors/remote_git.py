"""The door to other Git repositories: their references, and single commits kept in a bare repository in the cache.

Git runs sealed: no configuration of the user or the machine, no credential helper, no prompt, no redirect, and only
the protocol of the URL that was allowed. A credential reaches it in the environment, bound to its URL.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gitops_bot.doors import process
from gitops_bot.doors.blobs import locked
from gitops_bot.doors.credentials import Credentials
from gitops_bot.doors.git import Repository
from gitops_bot.errors import BotError, FetchError
from gitops_bot.model import url as urls
from gitops_bot.model.tree import Tree
from gitops_bot.model.url import Url

_PASSED = ("PATH", "SSH_AUTH_SOCK", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy",
           "ALL_PROXY", "all_proxy")  # fmt: skip
_BUNDLES = ("GIT_SSL_CAINFO", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_SAFE = ("-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "maintenance.auto=false",
         "-c", "credential.helper=", "-c", "http.followRedirects=false", "-c", "core.askPass=",
         "-c", "fetch.recurseSubmodules=false", "-c", "protocol.version=2")  # fmt: skip
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REDIRECTED = re.compile(r"returned error: 30[1278]")


class References(NamedTuple):
    """What a repository offers."""

    head: str
    """Commit id of its default branch, ``""`` when it has none."""
    branches: Mapping[str, str]
    """Short name → commit id."""
    tags: Mapping[str, str]
    """Short name → commit id, annotated tags followed to their commit."""


class RemoteGit:
    """Read access to other repositories. One instance serves all threads of a run."""

    def __init__(
        self,
        directory: Path,
        credentials: Credentials | None = None,
        *,
        seconds: float = 120.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Take the cache directory, what may be sent where, and the time limit of one git command in seconds."""
        self._directory = directory
        self._credentials = credentials or Credentials()
        self._limits = process.Limits(seconds=seconds, output=64 * 1024 * 1024, memory=0)
        self._environment = os.environ if environment is None else environment

    def references(self, url: Url) -> References:
        """Branches and tags of a repository. Raises FetchError."""
        listing = self._run(url, ("ls-remote", "--symref", "--", "URL", "HEAD", "refs/heads/*", "refs/tags/*"))
        found: dict[str, str] = {}
        for line in listing.decode("utf-8", "replace").splitlines():
            oid, _, name = line.partition("\t")
            if _COMMIT.fullmatch(oid):
                found[name] = oid
        if not found:
            raise FetchError(
                f"{urls.shown(str(url))} has no branch: it is an empty repository or none", hint="check the URL"
            )
        tags = {name: oid for name, oid in found.items() if name.startswith("refs/tags/") and not name.endswith("^{}")}
        return References(
            found.get("HEAD", ""),
            {name.removeprefix("refs/heads/"): oid for name, oid in found.items() if name.startswith("refs/heads/")},
            {name.removeprefix("refs/tags/"): found.get(f"{name}^{{}}", oid) for name, oid in tags.items()},
        )

    def has(self, url: Url, commit: str) -> bool:
        """Whether the cache holds a commit completely enough to read its tree."""
        directory = self._bare(url)
        if not (directory / "HEAD").exists():
            return False
        ended = self._git(("cat-file", "-e", f"{commit}^{{tree}}"), str(directory), url)
        return ended.code == 0 and (directory / "commits" / commit).exists()

    def fetch(self, url: Url, commit: str, reference: str = "") -> None:
        """Bring one commit into the cache, without history where the server allows that.

        ``reference`` is a full name (``refs/heads/main``) that pointed at it, for servers that give no bare commits.
        Raises FetchError.
        """
        if self.has(url, commit):
            return
        directory = self._bare(url)
        with locked(directory.with_name(f"{directory.name}.lock")):
            if self.has(url, commit):
                return
            self._make(directory, url)
            tried: list[tuple[str, ...]] = [("--depth=1", "--", "URL", commit)]
            if reference:
                tried.append(("--depth=1", "--", "URL", reference))
            unshallow = ("--unshallow",) if (directory / "shallow").exists() else ()
            tried.append((*unshallow, "--", "URL", "+refs/heads/*:refs/seen/heads/*", "+refs/tags/*:refs/seen/tags/*"))
            failure: FetchError | None = None
            for arguments in tried:
                try:
                    self._run(url, ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", *arguments), directory)
                except FetchError as error:
                    failure = failure or error
                    if "not our ref" not in str(error) and "unadvertised" not in str(error):
                        raise
                    continue
                if self._git(("cat-file", "-e", f"{commit}^{{tree}}"), str(directory), url).code == 0:
                    (directory / "commits").mkdir(exist_ok=True)
                    (directory / "commits" / commit).touch()
                    return
            raise failure or FetchError(
                f"{urls.shown(str(url))} does not give commit {commit}",
                hint="is it in a branch or tag of the repository?",
            )

    def open(self, url: Url) -> Repository:
        """The cached repository, for ``tree``; the caller closes it after the last read. Raises FetchError."""
        try:
            return Repository(str(self._bare(url)))
        except BotError as error:
            raise FetchError(f"{urls.shown(str(url))}: {error.message}", hint=error.hint) from error

    def _bare(self, url: Url) -> Path:
        name = hashlib.sha256(urls.normalise_git(str(url)).encode()).hexdigest()
        return self._directory / "git" / name

    def _make(self, directory: Path, url: Url) -> None:
        """An empty bare repository, in its place at once and whole."""
        if (directory / "HEAD").exists():
            return
        directory.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(directory, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=directory.parent) as scratch:
            ended = self._git(("init", "--quiet", "--bare", "--template=", "new"), scratch, url)
            if ended.code != 0:
                raise FetchError(
                    f"git init failed: {_last_line(ended.stderr)}", hint="is the cache directory writable?"
                )
            os.rename(os.path.join(scratch, "new"), directory)

    def _run(self, url: Url, argv: Sequence[str], directory: Path | None = None) -> bytes:
        """Run git against the URL (the word ``URL`` in ``argv``); its standard output.

        Some hosts answer with a redirect unless the path ends in ``.git``; redirects are not followed, so the other
        spelling is tried instead.
        """
        spelled = str(url)
        spellings = [spelled] if spelled.endswith(".git") or url.scheme == "ssh" else [spelled, f"{spelled}.git"]
        for spelling in spellings:
            command = [spelling if word == "URL" else word for word in argv]
            with tempfile.TemporaryDirectory(prefix="gitops-bot-git-") as scratch:
                ended = self._git(command, str(directory or scratch), url, home=scratch)
            if ended.code == 0 and not ended.stopped:
                return ended.stdout
            if not _REDIRECTED.search(ended.stderr):
                break
        raise self._failed(url, ended)

    def _failed(self, url: Url, ended: process.Finished) -> FetchError:
        name, said = urls.shown(str(url)), ended.stderr
        if ended.stopped:
            return FetchError(f"{name}: git was stopped after {ended.stopped}", hint="try again later")
        if _REDIRECTED.search(said):
            return FetchError(f"{name} redirects to another place", hint="write the new URL of the repository")
        signs = ("could not read Username", "Authentication failed", "error: 401", "error: 403", "Permission denied",
                 "terminal prompts disabled", "not found")  # fmt: skip
        if any(sign in said for sign in signs):
            return FetchError(
                f"{name}: no such repository, or no access to it",
                hint="check the URL, or bind a credential to it in the fetch credentials",
            )
        return FetchError(f"{name}: git: {_last_line(said)}", hint="check the URL and the network")

    def _git(self, argv: Sequence[str], cwd: str, url: Url, home: str = "/nonexistent") -> process.Finished:
        environment = {name: self._environment[name] for name in _PASSED if self._environment.get(name)}
        bundle = next((self._environment[name] for name in _BUNDLES if self._environment.get(name)), "")
        environment |= {
            "HOME": home,
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": url.scheme,
            "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=10",
            "GIT_HTTP_LOW_SPEED_LIMIT": "1",
            "GIT_HTTP_LOW_SPEED_TIME": "30",
            **({"GIT_SSL_CAINFO": bundle} if bundle else {}),
            **self._credential(url),
        }
        try:
            return process.run(["git", *_SAFE, *argv], cwd=cwd, env=environment, limits=self._limits, network=True)
        except FileNotFoundError as error:
            raise FetchError("git was not found on PATH", hint="install git 2.38 or newer") from error

    def _credential(self, url: Url) -> dict[str, str]:
        """The credential as configuration in the environment, scoped by git itself to the place it is bound to."""
        header = self._credentials.header(str(url._replace(user="")))
        if not header:
            return {}
        place = self._credentials.place(str(url._replace(user="")))
        return {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{place}.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: {header}",
        }


def verified(tree: Tree, name: str) -> Tree:
    """The same tree, proved: every directory and file hashes to its id when read, and every path is plain.

    Git does not check objects it reads from a pack, and the cache is not trusted. Raises FetchError.
    """
    directories = {tree.oid, *(entry.oid for entry in tree.entries.values() if entry.is_directory)}
    _check(tree.blobs(sorted(directories)), b"tree", name)
    for path in tree.entries:
        if any(part in ("", ".", "..") or part.lower() == ".git" for part in path.split("/")):
            raise FetchError(f"{name} holds the path {path[:80]!r}, which leads out of it")

    def read(oids: Iterable[str]) -> Mapping[str, bytes]:
        found = tree.blobs(oids)
        _check(found, b"blob", name)
        return found

    return Tree(tree.oid, tree.entries, read)


def _check(objects: Mapping[str, bytes], kind: bytes, name: str) -> None:
    for oid, content in objects.items():
        if object_id(oid, kind, content) != oid:
            raise FetchError(f"{name}: the cached object {oid} is damaged", hint="delete the fetch cache and run again")


def object_id(like: str, kind: bytes, content: bytes) -> str:
    """Git's id of an object (``blob``, ``tree``, ``commit``), by the algorithm of an id of that length."""
    algorithm = hashlib.sha1 if len(like) == 40 else hashlib.sha256
    return algorithm(kind + b" %d\0" % len(content) + content).hexdigest()


def _last_line(text: str) -> str:
    """The last line of git's message, without what looks like a credential."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return re.sub(r"(?<=://)[^/\s]*@", "", lines[-1])[:300] if lines else "no message"
