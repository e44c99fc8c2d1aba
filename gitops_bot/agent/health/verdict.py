"""The health of an object, or of an Application, as a value. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, get_args

import msgspec

Status = Literal["Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown"]
ORDER: tuple[Status, ...] = get_args(Status)
"""From best to worst (Argo CD's rule, application-semantics 2.7)."""


class Health(msgspec.Struct, frozen=True):
    """What is said of an object: how it is, and why.

    A message is one short line in the words of whoever reported the state; it never quotes what a container wrote.
    """

    status: Status
    message: str = ""
    until: datetime | None = None
    """When the verdict changes although the object does not, aware: it has to be asked for again then. None: never."""


UNSEEN = Health("Progressing", "the controller has not seen the newest specification yet")


def severity(status: Status) -> int:
    """How bad a status is: 0 for Healthy."""
    return ORDER.index(status)
