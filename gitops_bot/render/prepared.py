"""What a render is made from: the exact files, the exact options, nothing else.

Preparing is pure reading: it decides the renderer, follows every reference and refuses what must not run. The key of a
prepared render therefore cannot lie: it is the hash of everything the renderer will see.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from gitops_bot.model.tree import Tree

Renderer = Literal["helm", "kustomize", "directory"]


class InputFile(msgspec.Struct, frozen=True):
    """One file of the scratch directory: a blob of some tree, or content of our own making."""

    path: str
    """Where it goes, relative to the scratch directory."""
    executable: bool = False
    oid: str = ""
    """Object id of the blob, ``""`` for content of our own."""
    tree: Tree | None = None
    """The tree the blob is read from, None for content of our own."""
    content: bytes = b""
    link: str = ""
    """For a symbolic link its target, relative to its own directory and inside its tree; ``""`` for a file."""

    @property
    def identity(self) -> str:
        """What tells this content from any other: the object id, the SHA-256 of our own content, or the link."""
        if self.link:
            return f"link:{self.link}"
        return self.oid or "sha256:" + hashlib.sha256(self.content).hexdigest()


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """One source of a target, ready to render."""

    renderer: Renderer
    files: tuple[InputFile, ...]
    """Every file the renderer may read, in path order, each path once."""
    directory: str = ""
    """Where the renderer starts, relative to the scratch directory."""
    arguments: tuple[str, ...] = ()
    """The renderer's arguments after the program name; paths in them are relative to ``directory``."""
    needs_helm: bool = False
    """True for a kustomization that inflates charts (``helmCharts``): both tools' versions are then part of the key."""
    warnings: tuple[str, ...] = ()
    """What renders as it stands and must be named: SOPS-encrypted files, vault placeholders, ``lookup``."""
    unstable: str = ""
    """Why two renders of the same inputs may differ (random functions, dates), ``""`` when they cannot."""

    @property
    def tools(self) -> tuple[str, ...]:
        """The programs that run: their versions are part of the key."""
        if self.renderer == "directory":
            return ()
        return ("helm", "kustomize") if self.needs_helm else (self.renderer,)

    @property
    def kube_version(self) -> str:
        """The Kubernetes version that charts are rendered for, ``""`` where helm's own default holds."""
        for position, argument in enumerate(self.arguments):
            if argument == "--kube-version":
                return self.arguments[position + 1]
            if argument.startswith("--helm-kube-version="):
                return argument.partition("=")[2]
        return ""

    def key(self, versions: Mapping[str, str]) -> str:
        """The cache key: SHA-256 (hexadecimal) over every input, option and the versions of the tools that run."""
        parts = (
            "gitops-bot render 1",
            self.renderer,
            self.directory,
            self.arguments,
            [(name, versions.get(name, "")) for name in self.tools],
            [(file.path, file.executable, file.identity) for file in self.files],
        )
        # repr, not JSON: a path may hold bytes that are no UTF-8.
        return hashlib.sha256(repr(parts).encode()).hexdigest()


class Fetcher(Protocol):
    """Where sources from elsewhere come from. Every method raises FetchError with the reason and the next step."""

    def chart(self, repository: str, name: str, version: str) -> Tree:
        """The unpacked chart (its ``Chart.yaml`` at the root) of a Helm repository or ``oci://`` registry.

        ``version`` is exact or a semver range; ``repository`` without scheme is an OCI registry, as Argo CD writes it.
        """
        ...

    def git(self, url: str, revision: str) -> Tree:
        """The whole tree of another Git repository at a branch, tag, commit or semver range of tags."""
        ...

    def file(self, url: str) -> bytes:
        """The content of one https URL (a value file, a remote kustomize resource that is a file)."""
        ...


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What the target cluster can do, as far as rendering asks (``.gitops-bot/clusters/<name>.yaml``)."""

    kube_version: str = ""
    """``1.36`` or ``1.36.3``; ``""`` leaves the tool's own default."""
    api_versions: tuple[str, ...] = ()
    """``monitoring.coreos.com/v1`` and ``monitoring.coreos.com/v1/ServiceMonitor`` forms, in order."""
