"""Finding helm and kustomize: on PATH, else those that ``gitops-bot tools install`` brought.

A standalone kustomize is preferred to the one inside kubectl: it starts in about half the time. Of kubectl nothing but
``kubectl kustomize`` is ever run, not even for its version, which is read from the build information in its file.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from gitops_bot.doors import process
from gitops_bot.errors import ToolError
from gitops_bot.model import typed

Name = Literal["helm", "kustomize"]
NAMES: tuple[Name, ...] = ("helm", "kustomize")

MINIMUM: Mapping[Name, tuple[int, int]] = {"helm": (3, 16), "kustomize": (5, 0)}
"""Helm 3.16 is the first with ``--skip-schema-validation``, which Applications can ask for (``skipSchemaValidation``).
Kustomize 5.0 is the first that keeps the order of its inputs by default, as Argo CD's and Flux's do."""

BUNDLE = "helm-4.2.3-kustomize-5.8.1"
"""Directory name of the tools that this version of the program installs: another pin is another directory."""

_KUBECTL_BUILT_WITH = re.compile(rb"dep\tsigs\.k8s\.io/kustomize/kustomize/v\d+\tv(\d+\.\d+\.\d+)")
_PROBE: Mapping[str, tuple[str, ...]] = {
    "helm": ("version", "--template", "{{.Version}}"),
    "kustomize": ("version",),
}
_PROBE_LIMITS = process.Limits(seconds=20, output=1 << 16)


class Tool(NamedTuple):
    """A renderer that can be run."""

    name: Name
    path: str
    """The program's file, absolute: a helm, a kustomize, or a kubectl that holds one."""
    version: str
    """``3.16.2``; ``3.22`` where the build says no more; without ``v``."""
    prefix: tuple[str, ...]
    """How its arguments start: ``(helm,)``, ``(kustomize, "build")`` or ``(kubectl, "kustomize")``."""

    @property
    def label(self) -> str:
        """Name and version for people and for cache keys: ``kustomize 5.8.1 (kubectl)``."""
        inside = " (kubectl)" if self.prefix[1:] == ("kustomize",) else ""
        return f"{self.name} {self.version}{inside}"


class Candidate(NamedTuple):
    """A program that may be what is looked for."""

    program: Literal["helm", "kustomize", "kubectl"]
    path: str
    version: str
    """``""`` when it could not be read."""


def user_cache(environ: Mapping[str, str] = os.environ) -> Path:
    """Where this program keeps what it can make again: ``$XDG_CACHE_HOME/gitops-bot``, else ``~/.cache/gitops-bot``."""
    home = environ.get("XDG_CACHE_HOME") or os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".cache")
    return Path(home) / "gitops-bot"


def installed_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """Where installed tools are: ``$GITOPS_BOT_TOOLS`` itself, else a directory of our cache named for the versions."""
    chosen = environ.get("GITOPS_BOT_TOOLS")
    return Path(chosen) if chosen else user_cache(environ) / "tools" / BUNDLE


def find(name: Name, environ: Mapping[str, str] = os.environ) -> Tool:
    """The renderer of this name that is new enough, in the order of ``candidates``.

    Raises ToolError when there is none, saying what was found instead.
    """
    refused: list[Candidate] = []
    for candidate in candidates(name, environ):
        if new_enough(name, candidate.version):
            return Tool(name, candidate.path, candidate.version, _prefix(candidate))
        refused.append(candidate)
    need = f"{name} {'.'.join(map(str, MINIMUM[name]))} or newer"
    hint = f"run `gitops-bot tools install`, or put {need} on PATH"
    if not refused:
        raise ToolError(f"{name} was not found on PATH, nor among the installed tools", hint=hint)
    found = ", ".join(f"{c.program} {c.version or 'of unknown version'} ({c.path})" for c in refused)
    raise ToolError(f"found {found}, need {need}", hint=hint)


def candidates(name: Name, environ: Mapping[str, str] = os.environ) -> Iterator[Candidate]:
    """The programs that could be it, best first: PATH before installed ones, a standalone kustomize before kubectl.

    The version of a kubectl is that of the kustomize in it.
    """
    programs: tuple[Literal["helm", "kustomize", "kubectl"], ...] = (
        ("helm",) if name == "helm" else ("kustomize", "kubectl")
    )
    for program in programs:
        for directories in (environ.get("PATH", ""), str(installed_directory(environ))):
            path = shutil.which(program, path=directories) if directories else None
            if path is not None:
                path = os.path.abspath(path)
                yield Candidate(program, path, _version(program, path, environ))


def new_enough(name: Name, version: str) -> bool:
    """Whether a version (``3.16.2``) is at least the minimum; False for an unknown one (``""``)."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= MINIMUM[name]


def _prefix(candidate: Candidate) -> tuple[str, ...]:
    return {
        "helm": (candidate.path,),
        "kustomize": (candidate.path, "build"),
        "kubectl": (candidate.path, "kustomize"),
    }[candidate.program]


# -- versions: asked once for each file, then remembered --------------------------------------------------------------


class _Seen(msgspec.Struct, frozen=True, array_like=True):
    """A version, and the state of the file it was read from."""

    state: tuple[int, int, int]
    version: str


def _version(program: str, path: str, environ: Mapping[str, str]) -> str:
    """The program's version, ``""`` when it cannot be read; costs a process only for a file not seen before."""
    memory = user_cache(environ) / "tools" / "versions.json"
    try:
        status = os.stat(path)
    except OSError:
        return ""
    state = (status.st_mtime_ns, status.st_size, status.st_ino)
    seen = _remembered(memory)
    known = seen.get(path)
    if known is not None and known.state == state:
        return known.version
    version = _built_with_kustomize(path) if program == "kubectl" else _asked(path, _PROBE[program])
    if version:
        _remember(memory, {**seen, path: _Seen(state, version)})
    return version


def _asked(path: str, arguments: tuple[str, ...]) -> str:
    """What the program says its version is; it runs without network, tokens and home."""
    with tempfile.TemporaryDirectory(prefix="gitops-bot-probe-") as home:
        sealed = {"HOME": home, "PATH": "", "KUBECONFIG": "", "LC_ALL": "C"}
        try:
            ended = process.run([path, *arguments], cwd=home, env=sealed, limits=_PROBE_LIMITS)
        except OSError:
            return ""
    found = re.search(rb"v?(\d+\.\d+(?:\.\d+)?[-+.0-9A-Za-z]*)", ended.stdout) if ended.code == 0 else None
    return found[1].decode() if found else ""


def _built_with_kustomize(path: str) -> str:
    """The version of the kustomize in a kubectl, from the module list that Go writes into every program."""
    with (
        contextlib.suppress(OSError, ValueError),
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        found = _KUBECTL_BUILT_WITH.search(content)
        return found[1].decode() if found else ""
    return ""


def _remembered(memory: Path) -> dict[str, _Seen]:
    try:
        return typed.decode(memory.read_bytes(), dict[str, _Seen])
    except (OSError, msgspec.DecodeError):
        return {}


def _remember(memory: Path, seen: Mapping[str, _Seen]) -> None:
    """Write the versions, whole or not at all; a cache that cannot be written only costs time."""
    with contextlib.suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=memory.parent, prefix=".versions-")
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(dict(sorted(seen.items()))))
        os.replace(temporary, memory)
