"""What a new model must bring along before it is written: everything or nothing, and better metrics. Pure."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gitops_bot.writeback.bumps.request import ModelRequest

if TYPE_CHECKING:
    from gitops_bot.doors.mlflow import Registered

_CONDITION = re.compile(r"(<=|>=|==|<|>) *(-?[0-9]+(?:\.[0-9]+)?)")
_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, "==": operator.eq, ">=": operator.ge, ">": operator.gt,
}  # fmt: skip


class Metric(NamedTuple):
    """One metric, before and after."""

    name: str
    old: float | None
    """None where it is not known."""
    new: float | None
    """None where it was not given."""
    condition: str = ""
    """``>= 0.80``; ``""`` without a threshold."""

    @property
    def delta(self) -> float | None:
        """New less old, None where one is missing."""
        return None if self.old is None or self.new is None else self.new - self.old

    @property
    def passes(self) -> bool | None:
        """Whether the new value meets the threshold; None without one. A metric that was not given does not."""
        found = _CONDITION.fullmatch(self.condition)
        if found is None:
            return None
        return self.new is not None and _OPERATORS[found[1]](self.new, float(found[2]))


def metrics_table(
    new: Mapping[str, float], old: Mapping[str, float], thresholds: Mapping[str, str]
) -> tuple[Metric, ...]:
    """Every metric that was given or has a threshold, in order of name; those with a threshold first."""
    names = sorted({*new, *thresholds}, key=lambda name: (name not in thresholds, name))
    return tuple(Metric(name, old.get(name), new.get(name), thresholds.get(name, "")) for name in names)


def incomplete(model: ModelRequest, wanted: Sequence[str]) -> Iterator[str]:
    """What the rules write and the request does not bring; ``wanted`` are of version, path and data."""
    names = {"version": "version", "path": "storage path", "data": "data version"}
    for part in ("version", "path", "data"):
        if part in wanted and not model.values[part]:
            yield f"the {names[part]} of {model.name} is missing: a model is written as a whole or not at all"


def inconsistent(model: ModelRequest, old: Mapping[str, str]) -> Iterator[str]:
    """What does not go together: a new version at the old path, or a new path for the old version.

    ``old`` holds version, path and data as one file has them now; what is not there is left out.
    """
    if not old.get("version") or not old.get("path") or not model.path:
        return
    moved, placed = old["version"] != model.version, old["path"] != model.path
    if moved and not placed:
        yield (
            f"{model.name} gets the version {model.version}, and its path {model.path} stays: one of them is wrong, or "
            "the content behind the path has changed"
        )
    if placed and not moved:
        yield (
            f"{model.name} gets another path, and its version {model.version} stays: a version has one path "
            "(to correct a path, write it with --file, --path and --value)"
        )


def missed(metrics: Sequence[Metric]) -> tuple[str, ...]:
    """A sentence for each threshold that is not met."""
    return tuple(
        f"{metric.name} is {number(metric.new) if metric.new is not None else 'not given'}, "
        f"and must be {metric.condition}"
        for metric in metrics
        if metric.passes is False
    )


def number(value: float | None) -> str:
    """A metric for people: up to six significant digits, ``""`` for None."""
    return "" if value is None else f"{value:.6g}"


def from_registry(found: Registered, *, name: str = "") -> ModelRequest:
    """What an MLflow registry says of one version, as a request; ``name`` is the rule's where it differs.

    The version is the registry's number, never the alias it was asked by.
    """
    return ModelRequest(
        name=name or found.name,
        version=found.version,
        path=found.path,
        data=found.data,
        run_url=found.run_url,
        page_url=found.page_url,
        metrics=found.metrics,
    )
