"""How long all renders of a run may take together: each has its own limit, and any number of them has this one."""

from __future__ import annotations

import math
import time

from gitops_bot.doors.process import Limits
from gitops_bot.errors import RenderError


class Deadline:
    """The end of the time for rendering; the time begins when this is made."""

    def __init__(self, seconds: float = math.inf) -> None:
        """Take the seconds that all renders have."""
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds; 0 or less when there is no time left."""
        return self._end - time.monotonic()

    def within(self, limits: Limits) -> Limits:
        """The limits of one program, which ends with the run's time at the latest. Raises RenderError without time."""
        left = self.left
        if left <= 0:
            raise no_time()
        return limits._replace(seconds=min(limits.seconds, left))


def no_time() -> RenderError:
    """What is told of a target whose turn never came, or whose render was cut off by the end of the run's time."""
    return RenderError(
        "no time left in this run",
        hint="look for a template that never ends, or raise render.deadline in .gitops-bot.yaml",
    )
