"""CustomResourceDefinitions that stop serving a version of their kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitops_bot.manifests.yaml import Unchanged
from gitops_bot.model.signal import Signal
from gitops_bot.review.signals.edit import Edit
from gitops_bot.review.signals.values import at, items, text
from gitops_bot.review.signals.words import listed

_KIND = ("apiextensions.k8s.io", "CustomResourceDefinition")


def unserved_versions(edit: Edit) -> Iterator[Signal]:
    """Raise the versions that a definition served and serves no more, because they are gone or ``served: false``.

    Whoever still names them is refused: manifests, controllers and clients. Silent where what was not read may hold
    them.
    """
    if edit.type != _KIND or not edit.updated:
        return
    old, new = (_served(at(side, "spec", "versions")) for side in (edit.before, edit.after))
    if old is None or new is None:
        return
    gone = old.keys() - {name for name, served in new.items() if served}
    lost = [name for name in gone if old[name]]
    if not lost:
        return
    some = any(new.values())
    rest = "" if some else ", and no version is left"
    message = f"The definition serves {listed(lost)} no more{rest}: what names such a version is refused"
    yield edit.signal("removed-api", message, severity="warning" if some else "error", path="spec.versions")


def _served(versions: Any) -> dict[str, bool] | None:
    """Whether each version is served, by name; None where that cannot be known."""
    if isinstance(versions, Unchanged) or any(isinstance(item, Unchanged) for item in items(versions)):
        return None
    return {text(at(item, "name")): at(item, "served") is not False for item in items(versions)}
