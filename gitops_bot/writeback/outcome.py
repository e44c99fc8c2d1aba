"""What became of a command that writes, as one value: for the log, the step's summary and its outputs."""

from __future__ import annotations

import msgspec

from gitops_bot.model.writeback import Landed, Proposal
from gitops_bot.writeback.bumps.bump import Nothing
from gitops_bot.writeback.moves.gates import Gate


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What was proposed and how it landed, or why there was nothing to propose."""

    repository: str
    """``owner/name`` of the repository that is written to."""
    branch: str
    """The branch that it is for."""
    landed: Landed | None = None
    """None for a dry run."""
    proposal: Proposal | None = None
    """None when there is nothing to commit."""
    nothing: Nothing | None = None
    """Why there is nothing to commit; None when there is something, or when it landed meanwhile by somebody else."""
    diff: str = ""
    """For a dry run: the change as a unified diff, with what is not seen drawn."""
    tag: str = ""
    """The tag that was made; a tag that a merge has yet to bring is not named here."""
    gates: tuple[Gate, ...] = ()
    """Of a promotion, as they were judged."""
