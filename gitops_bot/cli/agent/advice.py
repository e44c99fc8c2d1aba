"""What people may do about what an Application says, as commands to copy."""

from __future__ import annotations

from collections.abc import Iterable

from gitops_bot.agent.ownership.identity import App
from gitops_bot.agent.rules.guards import APPROVED

_FIXED = ("field is immutable", "updates to statefulset spec for fields other than")
"""What the API server says where only a new object may have another value."""


def advice(app: App, messages: Iterable[str]) -> str:
    """A line for each thing that may be done, ``""`` for none."""
    said = "\n".join(messages)
    steps = []
    if APPROVED in said:
        steps.append(
            f"to approve it: kubectl annotate application {app.name} -n {app.namespace} --overwrite "
            f"{APPROVED}=$(date -u +%Y-%m-%dT%H:%M:%SZ)"
        )
    if any(each in said for each in _FIXED):
        steps.append(
            "to delete the object and make it anew: annotate it in Git with argocd.argoproj.io/sync-options: Force=true"
        )
    return "".join(f"next: {step}\n" for step in steps)
