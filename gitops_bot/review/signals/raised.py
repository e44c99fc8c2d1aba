"""From the signals of each target to those of the report: each once, with its targets, silenced where settings say."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase

from gitops_bot.errors import SignalError
from gitops_bot.model.report import Raised, Report
from gitops_bot.model.settings import Silence
from gitops_bot.model.signal import SEVERITIES, Severity, Signal

_MOST = 10
"""How many signals a refusal lists."""


def gather(
    found: Iterable[tuple[str, Collection[Collection[str]], Iterable[Signal]]], silences: Sequence[Silence] = ()
) -> tuple[Raised, ...]:
    """One entry for each distinct signal and reason of silence, in a total order.

    ``found`` has for each target its id, its names (on each side it is known by: name and id) and its signals;
    ``silences`` are those of the base revision's settings, of which the first that fits gives the reason.
    """
    targets: dict[tuple[Signal, str | None], set[str]] = {}
    for id_, names, signals in found:
        for signal in signals:
            targets.setdefault((signal, _reason(signal, names, silences)), set()).add(id_)
    raised = [
        Raised(signal=signal, targets=tuple(sorted(ids)), silenced=reason) for (signal, reason), ids in targets.items()
    ]
    return tuple(sorted(raised, key=_position))


def _reason(signal: Signal, sides: Collection[Collection[str]], silences: Sequence[Silence]) -> str | None:
    """Why a signal is silenced, None where it is not.

    A target that was moved or renamed must fit under both of its names, so that no change escapes by renaming.
    """
    for silence in silences:
        if silence.signal == signal.id and all(
            any(fnmatchcase(name, glob) for glob in silence.apps for name in names) for names in sides
        ):
            return silence.reason
    return None


def _position(raised: Raised) -> tuple[object, ...]:
    signal = raised.signal
    return (
        SEVERITIES.index(signal.severity),
        signal.id,
        (signal.group, signal.kind, signal.namespace, signal.name),
        signal.path,
        signal.message,
        raised.silenced is not None,
        raised.silenced or "",
    )


def failing(report: Report, severities: Collection[Severity]) -> tuple[Raised, ...]:
    """The signals that fail a check for which these severities do: those that nobody silenced, worst first."""
    return tuple(one for one in report.signals if one.silenced is None and one.signal.severity in severities)


def refusal(report: Report, severities: Collection[Severity]) -> SignalError | None:
    """The error for a check that fails on these severities, None when there is no such signal."""
    found = failing(report, severities)
    if not found:
        return None
    lines = [f"  {one.signal.severity} {one.signal.id}: {_subject(one)}" for one in found[:_MOST]]
    if len(found) > _MOST:
        lines.append(f"  and {len(found) - _MOST} more")
    count = "1 signal fails" if len(found) == 1 else f"{len(found)} signals fail"
    return SignalError(
        "\n".join([f"{count} the check", *lines]),
        hint="docs/reference/signals.md explains each, and how review.silence of the base's settings silences one",
    )


def _subject(one: Raised) -> str:
    """What it is about: the object, or the targets; the message; control characters are for whoever prints it."""
    signal = one.signal
    name = object_name(signal)
    where = one.targets[0] if len(one.targets) == 1 else f"{len(one.targets)} targets"
    text = f"{name} in {where}: {signal.message}" if name else f"{where}: {signal.message}"
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def object_name(signal: Signal) -> str:
    """``Deployment web (shop)``, ``Namespace shop``; ``""`` for a target as a whole."""
    if not signal.kind:
        return ""
    return f"{signal.kind} {signal.name} ({signal.namespace})" if signal.namespace else f"{signal.kind} {signal.name}"
