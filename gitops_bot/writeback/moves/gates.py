"""What must hold before a promotion, each gate with its state and the reason. Pure.

Health is the agent's contract: a deployment with the environment's name and task ``gitops-bot``, and the commit status
``gitops-bot/<environment>`` on the commit that is synced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from gitops_bot.model.github import CheckState, DeploymentState, DeploymentStatus, Status
from gitops_bot.model.settings import Promotion, seconds
from gitops_bot.text.escape import md_cell_code, md_link, md_text
from gitops_bot.writeback.moves.freeze import frozen, parse_window

TASK = "gitops-bot"
"""Task of the agent's deployments."""
CONTEXT = "gitops-bot/"
"""What the contexts of the agent's commit statuses begin with; the environment's name follows."""

State = Literal["passed", "waiting", "failed"]

_PASSING = ("success", "neutral", "skipped")
"""Conclusions that GitHub takes for a required check that succeeded."""
_SHORT = 7


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that must hold."""

    name: str
    """``status ci``, ``status ci on main``, ``healthy``, ``soak``, ``freeze``."""
    state: State
    """``waiting``: it may come to hold by itself; ``failed``: somebody has to do something."""
    reason: str
    """One sentence, with foreign text in it."""
    url: str = ""
    """Where details are."""
    until: datetime | None = None
    """When it will hold if nothing else happens; None where that cannot be known."""


class CommitState(msgspec.Struct, frozen=True, kw_only=True):
    """What was reported on one commit."""

    sha: str
    bot: bool = False
    """True when it only writes down what this program was asked for (``own_commits.is_own``): where nothing was
    reported on it, the commit below it is asked."""
    statuses: tuple[Status, ...] = ()
    checks: tuple[CheckState, ...] = ()


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What the gates look at."""

    environment: str
    """Name of the environment that is promoted from."""
    line: tuple[CommitState, ...]
    """The commit that would be promoted, then its first parents, at least as far as the first that is not the bot's
    and the one that is deployed."""
    tagged: tuple[CommitState, ...] = ()
    """The same of the commit that will be tagged, where that is another one."""
    tagged_branch: str = ""
    """The branch that has it."""
    deployments: tuple[DeploymentState, ...] = ()
    """Of that environment, in any order and of any task."""
    same: Callable[[str], bool]
    """Whether what a commit (full id) deploys there is the same as what would be promoted."""
    now: datetime
    """Aware."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent says of what would be promoted."""

    state: State
    reason: str
    since: datetime | None = None
    """Since when it has been healthy without a break; None when it is not."""
    url: str = ""


def judge(policy: Promotion, evidence: Evidence) -> tuple[Gate, ...]:
    """The state of every gate that the policy names, in the order: statuses, healthy, soak, freeze.

    Where another commit than the promoted one will be tagged, the statuses must have succeeded on both.

    Raises UsageError for a freeze that cannot be read.
    """
    found = [_status_gate(f"status {context}", context, evidence.line) for context in policy.gates.statuses]
    if evidence.tagged:
        found += [
            _status_gate(f"status {context} on {evidence.tagged_branch}", context, evidence.tagged)
            for context in policy.gates.statuses
        ]
    soak = seconds(policy.gates.soak) if policy.gates.soak else 0
    if policy.gates.healthy or soak:
        health = health_of(evidence)
        found.append(Gate(name="healthy", state=health.state, reason=health.reason, url=health.url))
        if soak:
            found.append(_soak_gate(timedelta(seconds=soak), health, evidence.now))
    if policy.freeze:
        found.append(_freeze_gate(policy.freeze, evidence.now))
    return tuple(found)


def all_passed(gates: Sequence[Gate]) -> bool:
    """Whether every gate holds; true of none."""
    return all(gate.state == "passed" for gate in gates)


# -- statuses ---------------------------------------------------------------------------------------------------------


def _status_gate(name: str, context: str, line: Sequence[CommitState]) -> Gate:
    """A status or check that must have succeeded, on the commit itself.

    Commits of this program start no workflows when they are made with the default token; where nothing was reported on
    one, the commit that it was made on is asked.
    """
    for commit in line:
        statuses = [each for each in commit.statuses if each.context == context]
        checks = [each for each in commit.checks if each.name == context]
        if statuses or checks:
            told = [_of_status(name, each, commit) for each in statuses]
            return _worst(told + [_of_check(name, each, commit) for each in checks])
        if not commit.bot:
            reason = f"nothing was reported on {commit.sha[:_SHORT]}"
            return Gate(name=name, state="waiting", reason=reason)
    return Gate(name=name, state="waiting", reason="nothing was reported on the commits that were read")


def _worst(gates: Sequence[Gate]) -> Gate:
    """The gate that is furthest from passing; the first of several."""
    return max(gates, key=lambda gate: ("passed", "waiting", "failed").index(gate.state))


def _of_status(name: str, status: Status, commit: CommitState) -> Gate:
    state: State = "passed" if status.state == "success" else "waiting" if status.state == "pending" else "failed"
    reason = f"{status.state} on {commit.sha[:_SHORT]}" + (f": {status.description}" if status.description else "")
    return Gate(name=name, state=state, reason=reason, url=status.url)


def _of_check(name: str, check: CheckState, commit: CommitState) -> Gate:
    said = check.conclusion if check.status == "completed" and check.conclusion else check.status
    state: State = "failed"
    if check.status != "completed":
        state = "waiting"
    elif check.conclusion in _PASSING:
        state = "passed"
    reason = f"{said} on {commit.sha[:_SHORT]}" + (f": {check.title}" if check.title else "")
    return Gate(name=name, state=state, reason=reason, url=check.url)


# -- health and soak --------------------------------------------------------------------------------------------------


def ours(deployments: Sequence[DeploymentState], environment: str) -> list[DeploymentState]:
    """The agent's deployments of an environment, newest first."""
    found = [each for each in deployments if each.environment == environment and each.task == TASK]
    return sorted(found, key=lambda each: (each.created_at, each.id), reverse=True)


def succeeded(deployment: DeploymentState) -> bool:
    """Whether what was deployed came to be healthy and did not fail afterwards; being replaced is no failure."""
    return _standing(deployment) is not None


def _standing(deployment: DeploymentState) -> DeploymentStatus | None:
    """The newest status that says how it went, if that is success; None otherwise."""
    last = next((each for each in deployment.statuses if each.state != "inactive"), None)
    return last if last is not None and last.state == "success" else None


def health_of(evidence: Evidence) -> Health:
    """Whether what would be promoted is synced and healthy where it comes from, by the agent's own word."""
    name = evidence.environment
    deployments = ours(evidence.deployments, name)
    if not deployments:
        return _health_by_status(evidence)
    newest = deployments[0]
    commit = newest.commit[:_SHORT]
    last = newest.statuses[0] if newest.statuses else None
    url = newest.url
    if not evidence.same(newest.commit):
        reason = f"{name} has {commit}, which is not what would be promoted"
        return Health(state="waiting", reason=reason, url=url)
    if last is None or last.state in ("queued", "pending", "in_progress", "inactive"):
        said = last.state if last else "queued"
        return Health(state="waiting", reason=f"the deployment of {commit} to {name} is {said}", url=url)
    if last.state != "success":
        why = f": {last.description}" if last.description else ""
        return Health(state="failed", reason=f"the deployment of {commit} to {name} is {last.state}{why}", url=url)
    status = _agent_status(evidence, newest.commit)
    if status is not None and status.state != "success" and not _older(status, last):
        gate = _of_status("", status, CommitState(sha=newest.commit))
        return Health(state=gate.state, reason=f"{status.context}: {gate.reason}", url=status.url or url)
    since = _healthy_since(deployments, evidence.same)
    return Health(state="passed", reason=f"{name} has {commit} and is synced and healthy", since=since, url=url)


def _older(status: Status, last: DeploymentStatus) -> bool:
    """Whether the commit status is from before the deployment's: told then, overtaken since."""
    return status.updated_at is not None and status.updated_at < last.created_at


def _agent_status(evidence: Evidence, commit: str) -> Status | None:
    context = CONTEXT + evidence.environment
    found = [each for state in evidence.line if state.sha == commit for each in state.statuses]
    return next((each for each in found if each.context == context), None)


def _health_by_status(evidence: Evidence) -> Health:
    """Where the agent may not make deployments, its commit status alone tells."""
    name = evidence.environment
    for commit in evidence.line:
        status = _agent_status(evidence, commit.sha)
        if status is None:
            continue
        if not evidence.same(commit.sha):
            break
        gate = _of_status("", status, commit)
        since = status.updated_at if gate.state == "passed" else None
        return Health(state=gate.state, reason=f"{status.context}: {gate.reason}", since=since, url=status.url)
    return Health(state="waiting", reason=f"the agent of {name} has not reported what would be promoted")


def _healthy_since(deployments: Sequence[DeploymentState], same: Callable[[str], bool]) -> datetime | None:
    """Since when the same content has been healthy: back over later commits that changed nothing of it.

    ``deployments`` newest first. A failure ends the look back; being synced again does not.
    """
    since: datetime | None = None
    for deployment in deployments:
        if not same(deployment.commit):
            break
        for status in deployment.statuses:
            if status.state in ("failure", "error"):
                return since
            if status.state == "success":
                since = status.created_at
    return since


def _soak_gate(wanted: timedelta, health: Health, now: datetime) -> Gate:
    asked = _duration(wanted)
    if health.since is None:
        return Gate(name="soak", state="waiting", reason=f"{asked} begin when it is healthy")
    until = health.since + wanted
    if now >= until:
        return Gate(name="soak", state="passed", reason=f"healthy for {_duration(now - health.since)} of {asked}")
    done = _duration(max(now - health.since, timedelta()))
    return Gate(
        name="soak", state="waiting", reason=f"healthy for {done} of {asked}, until {_moment(until)}", until=until
    )


def _freeze_gate(windows: Sequence[str], now: datetime) -> Gate:
    found = frozen([parse_window(each) for each in windows], now)
    if found is None:
        return Gate(name="freeze", state="passed", reason="no freeze holds now")
    end = f"until {_moment(found.until)}" if found.until else "and its end is not in sight"
    return Gate(name="freeze", state="waiting", reason=f"{found.window.text} holds, {end}", until=found.until)


def _duration(span: timedelta) -> str:
    """``2d 3h``, ``1h 30m``, ``45s``: the two largest units, rounded down."""
    rest = int(span.total_seconds())
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"


def _moment(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"


# -- what people and GitHub see ---------------------------------------------------------------------------------------


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """All gates as one check."""

    state: Literal["success", "pending", "failure"]
    title: str
    """At most 140 characters, so that it fits a commit status as well."""
    summary: str
    """Markdown: a table with every gate."""


def verdict(gates: Sequence[Gate]) -> Verdict:
    """All gates as one check for the pull request; without gates it has succeeded."""
    shut = [gate for gate in gates if gate.state != "passed"]
    if not shut:
        title = f"all {len(gates)} gates passed" if len(gates) > 1 else "the gate passed" if gates else "no gates"
        return Verdict(state="success", title=title, summary=gates_table(gates))
    failed = any(gate.state == "failed" for gate in shut)
    title = ", ".join(f"{gate.name}: {gate.state}" for gate in shut)
    title = title if len(title) <= 140 else title[:139] + "…"
    return Verdict(state="failure" if failed else "pending", title=title, summary=gates_table(gates))


_MARKS = {"passed": "✅", "waiting": "⏳", "failed": "❌"}


def gates_table(gates: Sequence[Gate]) -> str:
    """The gates as a Markdown table, one line each; ``""`` without gates. Foreign text in it is harmless."""
    if not gates:
        return ""
    lines = [
        f"| {_MARKS[gate.state]} {gate.state} | {md_link(md_cell_code(gate.name), gate.url)} | {md_text(gate.reason)} |"
        for gate in gates
    ]
    return "\n".join(["| | gate | why |", "|---|---|---|", *lines, ""])
