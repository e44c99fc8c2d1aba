"""A promotion or a rollback that a workflow asks for, told as what every step that writes tells of."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from gitops_bot.actions.move import Move, Promote
from gitops_bot.actions.move import Undo as Back
from gitops_bot.cli.evidence import Evidence
from gitops_bot.cli.past import Undo
from gitops_bot.cli.promoting import Asked, Promoted, Promoter, promote_there, tag_merged_promotion
from gitops_bot.cli.rolling_back import RolledBack, Undoer, roll_back_there, tag_merged_rollback
from gitops_bot.cli.told import diff_of
from gitops_bot.cli.writing import Place
from gitops_bot.model.writeback import Landed, Proposal
from gitops_bot.writeback.bumps.bump import Nothing
from gitops_bot.writeback.moves.promote import Nothing as NoMove
from gitops_bot.writeback.moves.promote import Promotion
from gitops_bot.writeback.moves.rollback import RollbackRequest
from gitops_bot.writeback.outcome import Outcome


def carry_there(place: Place, move: Move) -> Outcome:
    """Promote or roll back, or only say what would be done. Raises what the two flows raise."""
    evidence = Evidence(place, datetime.now(UTC))
    return _promote(place, evidence, move) if isinstance(move, Promote) else _roll_back(place, evidence, move)


def _promote(place: Place, evidence: Evidence, move: Promote) -> Outcome:
    asked = Asked(move.to, move.source, move.level, move.by, move.allow_downgrade)
    name = place.target.name
    if move.dry_run:
        promoter = Promoter(place, evidence, asked, diff=False)
        head = place.clone.head(promoter.way.base)
        found = promoter.make(head)
        if isinstance(found, NoMove):
            return Outcome(repository=name, branch=head.branch, nothing=_nothing(found.reason))
        proposal = _proposal(found)
        return Outcome(
            repository=name, branch=head.branch, proposal=proposal, diff=diff_of(head, proposal), gates=found.gates
        )
    done = tag_merged_promotion(place, evidence, asked) if move.after_merge else promote_there(place, evidence, asked)
    return _promoted(name, done)


def _promoted(name: str, done: Promoted) -> Outcome:
    return Outcome(
        repository=name,
        branch=done.way.base,
        landed=_with(done.landed, done.notes),
        proposal=_proposal(done.found) if done.found is not None else None,
        nothing=_nothing(done.reason) if done.reason else None,
        tag=done.tag if done.kind == "tag" else "",
        gates=done.gates,
    )


def _proposal(found: Promotion) -> Proposal:
    """What a promotion proposes; for a merge of branches or a tag alone, without files of its own."""
    if found.proposal is not None:
        return found.proposal
    subject = f"the tag {found.tag.name} of {found.commit[:8]}" if found.kind == "tag" and found.tag else found.title
    return Proposal(files=(), subject=subject, body=found.body, topic=f"promote/{found.route.target}")


def _roll_back(place: Place, evidence: Evidence, move: Back) -> Outcome:
    ask = RollbackRequest(environment=move.environment, by=move.by or "somebody", why=move.why, until=move.until)
    undo = Undo(ask, move.to_revision, move.last_healthy, move.branch)
    name = place.target.name
    if move.dry_run:
        undoer = Undoer(place, evidence, undo, diff=False)
        head = place.clone.head(undoer.branch)
        found = undoer.make(head)
        if isinstance(found, NoMove):
            return Outcome(repository=name, branch=head.branch, nothing=_nothing(found.reason))
        proposal = found.proposal
        return Outcome(repository=name, branch=head.branch, proposal=proposal, diff=diff_of(head, proposal))
    if move.after_merge:
        return _rolled_back(name, tag_merged_rollback(place, evidence, undo))
    return _rolled_back(name, roll_back_there(place, evidence, undo, move.mode or None))


def _rolled_back(name: str, done: RolledBack) -> Outcome:
    return Outcome(
        repository=name,
        branch=done.branch,
        landed=_with(done.landed, done.notes),
        proposal=done.done.proposal if done.done is not None else None,
        nothing=_nothing(done.reason) if done.reason else None,
        tag=done.tag,
    )


def _with(landed: Landed, notes: tuple[str, ...]) -> Landed:
    return msgspec.structs.replace(landed, notes=(*landed.notes, *notes))


def _nothing(reason: str) -> Nothing:
    return Nothing(kind="same", reason=reason)
