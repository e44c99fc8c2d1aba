"""What is the same for every Application of an agent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from gitops_bot.agent.ownership.identity import App
from gitops_bot.agent.rules.project import Cluster
from gitops_bot.agent.sources.rendering import Login
from gitops_bot.manifests.ignore import DeleteJq
from gitops_bot.model.project import Project
from gitops_bot.model.settings import Settings
from gitops_bot.render.prepared import Capabilities

Logins = Callable[[str, Iterable[str]], tuple[Login, ...]]
"""What a renderer is given for an AppProject's Application with these repositories."""


class Surroundings(NamedTuple):
    """Asked anew whenever it is needed: what is behind them changes."""

    cluster: Cluster
    capabilities: Callable[[], Capabilities]
    settings: Callable[[], Settings]
    projects: Callable[[], Mapping[str, Project | None]]
    logins: Logins
    delete_jq: DeleteJq | None
    now: Callable[[], datetime]
    watch: Callable[[frozenset[tuple[str, str]]], frozenset[tuple[str, str]]]
    """Begins to watch kinds, and returns when what there is of them is known; those of which it is not."""
    authorities: Callable[[], Mapping[str, str]] = dict
    """Host → certificates (PEM) that alone are trusted for its own."""
    exists: Callable[[str], bool] = lambda _name: True
    """Whether an Application of this name is in the agent's namespace, readable or not."""
    claimed: Callable[[App], str] = lambda _app: ""
    """Why an Application that was never synced may not be adopted; ``""`` when it may."""
    follows: Callable[[str, str, str, str], bool | None] = lambda *_: None
    """Whether in a repository, asked for a project, one commit is an ancestor of another; None: nobody knows."""
