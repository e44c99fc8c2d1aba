"""Open pull requests of ours that would bring back what is held by now: closed, with the hold that stands against."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from gitops_bot.errors import BotError
from gitops_bot.model.github import PullRequest
from gitops_bot.text.escape import md_code, md_text
from gitops_bot.writeback.holds import Hold, counts, is_active, read_holds
from gitops_bot.writeback.landing.closing import close, is_ours
from gitops_bot.writeback.landing.commit_message import topic_of
from gitops_bot.writeback.trailers import read_trailers

if TYPE_CHECKING:
    from gitops_bot.doors.github.writing import Writing
    from gitops_bot.doors.push import Clone, Logged


def close_held(branch: str, clone: Clone, github: Writing | None, *, now: datetime) -> list[str]:
    """Close what is open into a branch and proposes what is held there, by the trailers of its commit; notes.

    All holds of the branch are asked, so a run completes what another was cut off before. ``github`` None: there is no
    API to look with, which is said. ``now`` is aware. A convenience: what fails is a note.
    """
    try:
        holds = [hold for hold in read_holds(clone.head(branch).tree) if is_active(hold, now)]
        if not holds:
            return []
        if github is None:
            return [
                "open pull requests that propose what is held were not looked for: that needs a token for GitHub's API"
            ]
        found = [(pull, clone.log(pull.head_sha)) for pull in github.pulls.opened(branch) if is_ours(pull)]
        against = [(pull, log, _against(log, holds, now)) for pull, log in found]
        return [_closed(pull, log, stands[0], github) for pull, log, stands in against if stands]
    except BotError as error:
        return [f"open pull requests that propose what is held were not looked for: {error.told}"]


def _against(log: Sequence[Logged], holds: Sequence[Hold], now: datetime) -> list[Hold]:
    """The holds that stand against what a pull request of ours proposes; all, where it does not say for whom."""
    message = next((one.message for one in log if topic_of(one.message)), "")
    told = read_trailers(message)
    return [
        hold
        for hold in holds
        for bump in told.bumps
        if counts(
            hold, bump.what, [name for name in (bump.new, bump.digest) if name],
            environments=(told.environment or hold.environment or "",), now=now,
        )
    ]  # fmt: skip


def _closed(pull: PullRequest, log: Sequence[Logged], hold: Hold, github: Writing) -> str:
    told, release = md_text(hold.told), md_code(hold.release)
    text = f"{told}. {release} releases it; what was proposed here is then to be asked for again."
    return close(pull, f"{hold.told}; `{hold.release}` releases it", github, log, text=text)
