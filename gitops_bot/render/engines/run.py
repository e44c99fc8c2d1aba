"""Running a prepared render: its files in a private directory, the tool in a sealed environment, then no trace."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from gitops_bot.doors import process
from gitops_bot.errors import RenderError, ToolError
from gitops_bot.model.tree import Tree
from gitops_bot.render.engines import directory
from gitops_bot.render.engines.blame import without_secrets
from gitops_bot.render.prepared import InputFile, Prepared

DEAD_PROXY = "http://127.0.0.1:9"
"""A port where nothing answers: a renderer that tries to fetch fails at once, also without a network namespace."""
_STDERR_SHOWN = 2000
"""Characters of the tool's own words in a message."""

_SCRATCH = re.compile(r"(?<![\w/.-])(?:\.\./)*repo/")


class Program(msgspec.Struct, frozen=True):
    """A tool that can be run."""

    prefix: tuple[str, ...]
    """How its arguments start: ``(/bin/helm,)``, ``(/bin/kustomize, "build")``, ``(/bin/kubectl, "kustomize")``."""
    version: str
    """For cache keys: two programs with the same version give the same output."""


class Toolbox(Protocol):
    """Where programs come from."""

    def need(self, name: str) -> Program:
        """The program of this name. Raises ToolError when there is none."""
        ...


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """The renderers; None for one that was not found."""

    helm: Program | None = None
    kustomize: Program | None = None

    @property
    def versions(self) -> Mapping[str, str]:
        """Versions by name, for ``Prepared.key``."""
        found = {"helm": self.helm, "kustomize": self.kustomize}
        return {name: program.version for name, program in found.items() if program is not None}

    def need(self, name: str) -> Program:
        """The program of this name. Raises ToolError when it was not found."""
        program = self.helm if name == "helm" else self.kustomize
        if program is None:
            raise ToolError(f"{name} was not found", hint="run `gitops-bot tools install`")
        return program


def run(
    prepared: Prepared, tools: Toolbox | None, *, scratch: str | Path, limits: process.Limits = process.DEFAULT_LIMITS
) -> bytes:
    """The manifests that a prepared source renders to, as the renderer writes them.

    ``tools`` may be None for a directory, which needs no process; ``scratch`` is a directory of ours in which a
    private one is made and removed. Raises RenderError with the tool's own words, ToolError when the tool is missing.
    """
    contents = _contents(prepared)
    if prepared.renderer == "directory":
        return directory.render(prepared, contents)
    if tools is None:
        raise ToolError(f"{prepared.renderer} was not found", hint="run `gitops-bot tools install`")
    program = tools.need(prepared.renderer)
    helm = tools.need("helm") if prepared.needs_helm else None
    home = tempfile.mkdtemp(prefix="render-", dir=scratch)
    try:
        materialise(prepared, contents, home)
        environment = _environment(home, helm if prepared.renderer == "kustomize" else None)
        arguments = prepared.arguments
        try:
            ended = process.run(
                (*program.prefix, *arguments),
                cwd=os.path.join(home, prepared.directory),
                env=environment,
                limits=limits,
            )
        except FileNotFoundError as error:
            raise ToolError(f"{prepared.renderer} cannot be run: {error}") from error
    finally:
        shutil.rmtree(home, ignore_errors=True)
    if ended.stopped:
        what = "wrote more than" if "output" in ended.stopped else "did not end within"
        raise RenderError(
            f"{prepared.renderer} {what} {ended.stopped} and was killed: {_shown(prepared)}",
            hint="look for a loop or a very large range in it",
        )
    if ended.code != 0 and not os.path.exists(program.prefix[0]):
        raise ToolError(f"{prepared.renderer} is not at {program.prefix[0]}", hint="run `gitops-bot tools install`")
    if _ran_out_of_memory(ended):
        raise RenderError(
            f"{prepared.renderer} needs more than {limits.memory >> 20} MiB of memory: {_shown(prepared)}",
            hint="look for a loop or a very large range in it",
        )
    if ended.code != 0 and "incompatible with Kubernetes" in ended.stderr:
        raise RenderError(
            f"helm: {_told(ended, home, prepared, contents)}",
            hint="name your cluster's version: a capability snapshot, helm.kubeVersion or render.kube_version",
        )
    if ended.code != 0:
        raise RenderError(f"{prepared.renderer}: {_told(ended, home, prepared, contents)}")
    return ended.stdout


def materialise(prepared: Prepared, contents: Mapping[int, bytes], home: str) -> None:
    """Write every file below ``home``; ``contents`` holds them by their position in ``prepared.files``."""
    made = {home}
    for position, file in enumerate(prepared.files):
        path = os.path.join(home, file.path)
        parent = os.path.dirname(path)
        if parent not in made:
            os.makedirs(parent, exist_ok=True)
            made.add(parent)
        if file.link:
            os.symlink(file.link, path)
            continue
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            data = memoryview(contents[position])
            while data:
                data = data[os.write(handle, data) :]
        finally:
            os.close(handle)
    os.makedirs(os.path.join(home, prepared.directory), exist_ok=True)


def broken_file(prepared: Prepared) -> RenderError | None:
    """The file of a plain directory that cannot be read, as an error; None when all can, and for other renderers."""
    return directory.broken(prepared, _contents(prepared)) if prepared.renderer == "directory" else None


def _contents(prepared: Prepared) -> dict[int, bytes]:
    """Every file's content by position; the blobs of one tree are read in one batch."""
    wanted: dict[int, tuple[Tree, list[str]]] = {}
    for file in prepared.files:
        if file.tree is not None and not file.link:
            wanted.setdefault(id(file.tree), (file.tree, []))[1].append(file.oid)
    blobs = {key: tree.blobs(oids) for key, (tree, oids) in wanted.items()}

    def content(file: InputFile) -> bytes:
        return blobs[id(file.tree)][file.oid] if file.tree is not None else file.content

    return {position: content(file) for position, file in enumerate(prepared.files) if not file.link}


def _environment(home: str, helm: Program | None) -> dict[str, str]:
    """All that the tool sees: a home of its own, no tokens, no cluster, no way out."""
    own = os.path.join(home, "home")
    path = os.path.join(own, "bin")
    os.mkdir(own)
    if helm is not None:  # every directory costs; a PATH that is not there is as good as an empty one
        os.mkdir(path)
        os.symlink(helm.prefix[0], os.path.join(path, "helm"))
    environment = {
        "HOME": own,
        "PATH": path,
        "TMPDIR": own,
        "KUBECONFIG": "",
        "LC_ALL": "C",
        "TZ": "UTC",
        "HELM_CACHE_HOME": f"{own}/helm/cache",
        "HELM_CONFIG_HOME": f"{own}/helm/config",
        "HELM_DATA_HOME": f"{own}/helm/data",
        "HELM_PLUGINS": f"{own}/helm/plugins",
        "XDG_CACHE_HOME": f"{own}/cache",
        "XDG_CONFIG_HOME": f"{own}/config",
        "XDG_DATA_HOME": f"{own}/data",
        "KUSTOMIZE_PLUGIN_HOME": f"{own}/kustomize",
        "NO_PROXY": "",
        "no_proxy": "",
        "GOGC": "400",
    }
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        environment |= {name: DEAD_PROXY, name.upper(): DEAD_PROXY}
    return environment


def _ran_out_of_memory(ended: process.Finished) -> bool:
    """Go's runtime names the cause first, then prints every stack it has."""
    return ended.code != 0 and "out of memory" in ended.stderr[:2000] and "goroutine" in ended.stderr


def _shown(prepared: Prepared) -> str:
    place = prepared.directory.partition("/")[2]
    return place or "the root"


def _told(ended: process.Finished, home: str, prepared: Prepared, contents: Mapping[int, bytes]) -> str:
    """The useful end of what the tool said: without our scratch paths, advice on flags, and anything secret."""
    text = ended.stderr.replace(os.path.realpath(home) + "/", "").replace(home + "/", "").replace(home, ".")
    text = _SCRATCH.sub("", text)
    files = {prepared.files[position].path: content for position, content in contents.items()}
    text = without_secrets(text, files, prepared.arguments)  # before anything is cut, which would hide a value's form
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    errors = [index for index, line in enumerate(lines) if line.startswith("Error:")]
    told = lines[errors[0] :] if errors else lines[-5:]
    told = [line for line in told if not line.startswith(("Use --debug flag", "helm.go:", "Usage:"))]
    message = "\n".join(told).removeprefix("Error:").strip() or f"it ended with code {ended.code} and said nothing"
    return message if len(message) <= _STDERR_SHOWN else f"{message[:_STDERR_SHOWN]} …"
