"""What becomes of open pull requests when a hold was written."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from gitops_bot.writeback.held_proposals import close_held

if TYPE_CHECKING:
    from gitops_bot.cli.writing import Place
    from gitops_bot.model.writeback import Landed


def closed_by_holds(place: Place, branch: str, landed: Landed, now: datetime, *, proposed: bool) -> list[str]:
    """Close what proposes a held version into a branch; notes for people.

    ``proposed`` tells that what has landed holds something; in a pull request that does not count yet, and is said.
    """
    if landed.mode != "pull-request":
        return close_held(branch, place.clone, place.github, now=now)
    if not proposed:
        return []
    return ["what proposes a held version stays open until this is merged: run it again then, and it is closed"]
