"""What a step that writes tells of its outcome: in the log, in the step's summary and as outputs."""

from __future__ import annotations

from gitops_bot.actions.commands import Console
from gitops_bot.actions.outputs import NOTHING
from gitops_bot.text.escape import fence, md_code, md_text
from gitops_bot.writeback.outcome import Outcome

_CUT = "\n_The rest is not shown here: GitHub shows 1 MiB of a step's summary. It stands in the log._\n"
_MOST_NOTICES = 8
"""GitHub shows 10 of a step."""


def outputs_of(outcome: Outcome) -> dict[str, str]:
    """Every output of the step."""
    found = {**NOTHING, "mode": mode_of(outcome)}
    if found["mode"] == "nothing":
        return found
    proposal, landed = outcome.proposal, outcome.landed
    found |= {"changed": "true", "branch": outcome.branch}
    if proposal is not None:
        found["changed_files"] = "\n".join(file.path for file in proposal.files)
    if landed is not None:
        found["commit_sha"] = landed.commit
    found["tag"] = outcome.tag
    if landed is not None and landed.pull is not None:
        found |= {"pull_request_number": str(landed.pull), "pull_request_url": landed.url}
    return found


def mode_of(outcome: Outcome) -> str:
    """How it was written: ``api``, ``push``, ``pull-request``, ``tag`` alone, ``dry-run`` or ``nothing``."""
    if outcome.landed is None:
        return "dry-run" if outcome.proposal is not None else "nothing"
    return "tag" if outcome.tag and outcome.landed.mode == "nothing" else outcome.landed.mode


def headline(outcome: Outcome) -> str:
    """What became of it, on one line and without markup; it quotes foreign names."""
    landed, subject = outcome.landed, outcome.proposal.subject if outcome.proposal else ""
    where = f"{outcome.branch} of {outcome.repository}"
    match mode_of(outcome):
        case "nothing":
            return f"nothing to commit: {_why_nothing(outcome)}"
        case "dry-run":
            return f"dry run: {subject} would go to {where}"
        case "tag":
            return f"tagged {outcome.tag} for {where}"
        case "pull-request":
            assert landed is not None
            return f"pull request #{landed.pull} proposes to {where}: {subject}"
    assert landed is not None
    tagged = f"; tagged {outcome.tag}" if outcome.tag else ""
    return f"committed {landed.commit[:8]} to {where}: {subject}{tagged}"


def say(console: Console, outcome: Outcome) -> None:
    """Tell it in the log; what people should know of the token and the branch as notices."""
    landed = outcome.landed
    console.foreign(f"{headline(outcome)} {landed.url if landed else ''}".rstrip())
    if outcome.nothing is not None and mode_of(outcome) == "nothing":
        for note in outcome.nothing.notes:
            console.foreign(f"  {note}")
    if outcome.diff:
        with console.group("What would be committed"):
            console.foreign(outcome.diff)
    elif outcome.proposal is not None and outcome.proposal.message:
        console.foreign(outcome.proposal.message)
    notes = landed.notes if landed is not None else ()
    for note in notes[:_MOST_NOTICES]:
        console.notice(note, title="gitops-bot")
    for note in notes[_MOST_NOTICES:]:
        console.foreign(note)


def summary_of(outcome: Outcome, room: int) -> str:
    """Markdown of at most ``room`` bytes: what became of it, notes, the proposal's own text, a dry run's diff.

    What does not fit is left out part by part, the last first, and that is said.
    """
    parts = _told(outcome)
    proposal = outcome.proposal
    if proposal is not None and mode_of(outcome) != "nothing":
        parts.append(proposal.body or "\n".join(f"- {md_code(file.path)}" for file in proposal.files))
    if outcome.diff:
        ticks = fence(outcome.diff)
        parts.append(f"{ticks}diff\n{outcome.diff}\n{ticks}")
    text = _joined(parts)
    while len(text.encode()) > room and len(parts) > 1:
        parts.pop()
        text = _joined(parts) + _CUT
    return text


def reply_of(outcome: Outcome) -> str:
    """Markdown for a comment: what became of it, notes and gates."""
    return _joined(_told(outcome))


def _told(outcome: Outcome) -> list[str]:
    """What became of it with its link, and a list of notes and gates where there are any."""
    landed = outcome.landed
    line = f"**{md_text(headline(outcome))}**"
    if landed is not None and landed.url:
        line += f" [{'Commit' if landed.mode in ('api', 'push') else 'Pull request'}]({landed.url})"
    notes = [*(landed.notes if landed else ()), *(outcome.nothing.notes if outcome.nothing else ())]
    notes += [f"{gate.name} is {gate.state}: {gate.reason}" for gate in outcome.gates]
    return [line, "\n".join(f"- {md_text(note)}" for note in notes)] if notes else [line]


def _joined(parts: list[str]) -> str:
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _why_nothing(outcome: Outcome) -> str:
    if outcome.nothing is not None:
        return outcome.nothing.reason
    if outcome.landed is not None and outcome.landed.notes:
        return outcome.landed.notes[0]
    return f"{outcome.branch} has it already"
