"""What is deployed: one target is one Application, or one chart, overlay or directory without an Application."""

from __future__ import annotations

from typing import Literal

import msgspec

from gitops_bot.model.application import Application, IgnoreDifference, Source

Kind = Literal["Application", "Helm", "Kustomize", "Directory"]
"""``Application``, or the renderer of a target that was found without one."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is rendered and compared as a whole."""

    id: str
    """Unique in a run and stable between runs: ``argocd/staging/application.yaml#churn-mlops-staging``."""
    name: str
    """The Application's name; for a plain target its directory, with the value file: ``charts/web (values-dev)``."""
    file: str
    """Path of the file (plain: the directory) that defines it; for a rendered child, its parent's file."""
    parent: str | None = None
    """Id of the target whose rendering contains this Application, None for one that lies in the tree."""
    kind: Kind
    path: str = ""
    """Directory of the first source with a path, relative to its repository; ``""`` for charts of a registry."""
    namespace: str = ""
    """Destination namespace of objects that name none."""
    sources: tuple[Source, ...]
    """What is rendered, in order."""
    homes: tuple[str, ...] = ()
    """Directories of this repository that it is made from; ``""`` is the root."""
    ignore: tuple[IgnoreDifference, ...] = ()
    follows: str = ""
    """The revision of this repository it follows (``main``, ``v*``, ``HEAD``), ``""`` when no source is here."""
    generated: bool = False
    """True for an Application that an ApplicationSet generates: no file and no render has it as it is."""
    application: Application | None = None
    """None for targets without an Application."""


class NotRendered(msgspec.Struct, frozen=True, kw_only=True):
    """Something found that could not be rendered, and why."""

    id: str
    """A target's id, or the file or generator that yielded none."""
    reason: str
    """One sentence that names what is wrong and what to do."""
    failed: bool = True
    """True when it is an error (exit 3 when selected); False when nothing can be done about it here (a plugin)."""
