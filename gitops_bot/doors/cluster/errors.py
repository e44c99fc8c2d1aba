"""What the API server refused, told apart by what the agent does about it."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from gitops_bot.errors import ClusterError


class Cause(NamedTuple):
    """One field that the API server complains about."""

    field: str
    """``spec.template.spec.containers[0].image``, ``""`` for the object as a whole."""
    message: str


class Refused(ClusterError):
    """The API server answered with a status of its own."""

    retryable: ClassVar[bool] = False
    """Whether the same request may succeed later although nothing was changed."""

    def __init__(self, message: str, *, status: int, reason: str = "", causes: tuple[Cause, ...] = ()) -> None:
        """Take its words, the HTTP status, its ``reason`` (``NotFound``) and the fields it names."""
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.causes = causes


class NotFound(Refused):
    """There is no such object."""


class NoKind(Refused):
    """The cluster does not have the kind, or does not serve it yet: that says nothing about the object."""


class Conflict(Refused):
    """The object is another one by now, or has changed since it was read; or it is there already."""


class Gone(Refused):
    """The version to go on from is too old: list anew."""


class Forbidden(Refused):
    """The account may not do it."""


class Invalid(Refused):
    """The object is not one that the API server takes; ``causes`` say why."""


class NotTyped(Invalid):
    """Server-side apply cannot take it: a field that its kind does not have, two items of a list with one key.

    Or the API server of its kind knows no server-side apply.
    """


class Unavailable(Refused):
    """The API server is overloaded, or could not do it now."""

    retryable = True


class Unreachable(ClusterError):
    """No answer came."""

    retryable: ClassVar[bool] = True


class Withheld(ClusterError):
    """Nothing was sent: this process may not write now."""
