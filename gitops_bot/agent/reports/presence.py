"""Whether an agent is at work in a namespace, and what is wrong with what Git defines there, as its Lease tells."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

LEASE = "gitops-bot"
"""The Lease of an agent's namespace."""
_SILENT = timedelta(minutes=1)
"""A Lease runs out after 15 seconds; the rest is for clocks that differ."""


def absence(lease: Mapping[str, Any] | None, now: datetime) -> str:
    """Why nobody works on the Applications, ``""`` where somebody does; ``lease`` is None where there is none."""
    if lease is None:
        return "no agent has ever worked here"
    spec = lease.get("spec") or {}
    holder = spec.get("holderIdentity") or ""
    if not holder:
        return "no agent is at work: the last one was stopped"
    try:
        renewed = datetime.fromisoformat(str(spec.get("renewTime")))
    except ValueError:
        return ""
    if renewed.tzinfo is None or now - renewed < _SILENT:
        return ""
    return f"no agent is at work: {holder} gave its last sign of life at {renewed:%Y-%m-%d %H:%M:%S} UTC"
