"""What preparing needs to know beside the source: who asks, where other sources come from, what the cluster can do."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gitops_bot.model.tree import Tree
from gitops_bot.render.prepared import Capabilities, Fetcher


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """The same for every source of one Application."""

    app_name: str = ""
    """The Application's name, also the default release name; ``""`` for a target without an Application."""
    namespace: str = ""
    """The destination's namespace, ``""`` when the Application names none."""
    project: str = "default"
    revision: str = ""
    """The commit id or chart version that is rendered, for ``$ARGOCD_APP_REVISION``."""
    refs: Mapping[str, Tree] = {}
    """Trees of the sources that have a ``ref``, by that name without the ``$``."""
    fetcher: Fetcher
    """Asked for everything that is not in a tree at hand."""
    capabilities: Capabilities = Capabilities()
    build_options: tuple[str, ...] = ()
    """Options of ``kustomize build`` that policy gives; checked against an allow-list."""
