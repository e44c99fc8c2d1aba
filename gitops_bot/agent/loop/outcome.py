"""Whether Applications are what Git says, for who waits for it."""

from __future__ import annotations

from gitops_bot.agent.application.applications import Applications
from gitops_bot.agent.application.operation import unsolved
from gitops_bot.agent.application.record import AppObject
from gitops_bot.agent.reconcile.conditions import SHARED
from gitops_bot.agent.reconcile.holding import HELD
from gitops_bot.agent.reports.uncompared import UNCOMPARED


def unsynced(applications: Applications) -> tuple[tuple[str, str], ...]:
    """The Applications that are not Synced, or whose sync of that failed, with the reason; in order of name."""
    found = [(app.key.name, reason) for app in applications.all if (reason := _reason(app))]
    found += [(name, applications.broken(name)) for name in applications.unreadable]
    return tuple(sorted(found))


def _reason(app: AppObject) -> str:
    status = app.status
    state = unsolved(status)
    if state is not None:
        return f"its sync is {state.phase}: {state.message}"
    errors = [each.message for each in status.conditions if each.type.endswith("Error")]
    if errors:
        return errors[0]
    code = status.sync.status if status.sync is not None else "Unknown"
    if code == "Synced":
        return ""
    warnings = [each.message for each in status.conditions if each.type in (SHARED, HELD, UNCOMPARED)]
    return f"it is {code}: {warnings[0]}" if warnings else f"it is {code}"
