"""Imports every module of routes, so that all of them are in the table."""

from __future__ import annotations

from tests.github.routes import accounts, apps, comments, commits, gitdata, pulls, repositories, verdicts
from tests.github.routes.pulls import open_pull
from tests.github.routing import ROUTES

__all__ = [
    "ROUTES",
    "accounts",
    "apps",
    "comments",
    "commits",
    "gitdata",
    "open_pull",
    "pulls",
    "repositories",
    "verdicts",
]
