"""Major versions that go up: of images, and of charts that objects name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gitops_bot.model.signal import Signal
from gitops_bot.review.signals.edit import Edit
from gitops_bot.review.signals.podspecs import is_custom
from gitops_bot.review.signals.references import reference
from gitops_bot.review.signals.values import at, items, mapping, text
from gitops_bot.review.signals.words import short

_DOTTED = re.compile(r"v?(\d{1,4})\.\d{1,9}(?:\.\d{1,9})*(?:[-+_.].*)?", re.ASCII)
_BARE = re.compile(r"v?(\d{1,2})(?:-[a-z].*)?", re.ASCII)
"""``16``, ``16-alpine``: as databases name their majors; longer numbers are a build's."""
_FIRST_YEAR = 1900


def major_versions(edit: Edit) -> Iterator[Signal]:
    """Raise images of one name whose tag's major version goes up, and charts whose version does.

    Charts: of Argo CD's Application and of Flux's HelmRelease. A year is no major version, and a way back no jump.
    """
    if edit.added or edit.removed:
        return
    for pod in edit.pods:
        for container in pod.containers:
            if container.before is not None:
                yield from _image(
                    edit, container.before.get("image"), container.after.get("image"), f"{container.path}.image"
                )
    if is_custom(edit.key.group):
        yield from _image(edit, at(edit.before, "spec", "image"), at(edit.after, "spec", "image"), "spec.image")
        yield from _charts(edit)


def _image(edit: Edit, before: Any, after: Any, path: str) -> Iterator[Signal]:
    if before == after:
        return
    old, new = reference(before), reference(after)
    if old is None or new is None or old.repository.rpartition("/")[2] != new.repository.rpartition("/")[2]:
        return
    if _jumps(old.tag, new.tag):
        message = f"image {short(new.repository)}: {short(old.tag)} → {short(new.tag)}"
        yield edit.signal("major-version", message, path=path)


def _charts(edit: Edit) -> Iterator[Signal]:
    old = dict(_chart_versions(edit))
    for (chart, path), version in _chart_versions(edit, after=True):
        before = old.get((chart, path), "")
        if _jumps(before, version):
            yield edit.signal("major-version", f"chart {short(chart)}: {short(before)} → {short(version)}", path=path)


def _chart_versions(edit: Edit, *, after: bool = False) -> Iterator[tuple[tuple[str, str], str]]:
    """Name and field of each chart that a definition names, and its version."""
    spec = mapping((edit.after if after else edit.before).get("spec"))
    if edit.type == ("argoproj.io", "Application"):
        sources = [("spec.source", spec.get("source"))]
        sources += [(f"spec.sources[{index}]", source) for index, source in enumerate(items(spec.get("sources")))]
        for path, source in sources:
            chart = text(at(source, "chart"))
            if chart:
                yield (chart, f"{path}.targetRevision"), text(at(source, "targetRevision"))
    elif edit.type == ("helm.toolkit.fluxcd.io", "HelmRelease"):
        chart = text(at(spec, "chart", "spec", "chart"))
        yield (chart, "spec.chart.spec.version"), text(at(spec, "chart", "spec", "version"))


def _jumps(before: str, after: str) -> bool:
    """Whether both are versions of one form and the later one's major is higher."""
    if before == after or len(before) > 256 or len(after) > 256:
        return False
    for form in (_DOTTED, _BARE):
        old, new = form.fullmatch(before), form.fullmatch(after)
        if old and new:
            return int(old[1]) < int(new[1]) < _FIRST_YEAR
    return False
