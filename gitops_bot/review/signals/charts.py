"""Charts that an Application takes from elsewhere: which of them move, and how far."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from gitops_bot.manifests import yaml
from gitops_bot.model.application import Application, Source
from gitops_bot.model.signal import Signal
from gitops_bot.render.fetching.semver import Version
from gitops_bot.render.prepared import InputFile
from gitops_bot.render.workshop import Preparation
from gitops_bot.review.signals.words import short

_FULL = re.compile(r"v?\d+\.\d+\.\d+(?:[-+].*)?")


class Move(NamedTuple):
    """One chart (or Git source) whose version differs."""

    name: str
    before: str
    after: str
    path: str
    """Where the version stands."""


def version_of(text: str) -> Version | None:
    """A whole semantic version (three numbers), None for ranges, branches, commits and everything else."""
    try:
        return Version.parse(text) if _FULL.fullmatch(text) else None
    except ValueError:
        return None


def is_major(before: str, after: str) -> bool:
    """Whether a version goes up in its first number; False when one of them is none."""
    old, new = version_of(before), version_of(after)
    return old is not None and new is not None and old.core[0] < new.core[0]


def is_patch(before: str, after: str) -> bool:
    """Whether a version moves up in its last number only, its suffix (``-alpine``) staying as it is."""
    old, new = version_of(before), version_of(after)
    if old is None or new is None or before.startswith("v") != after.startswith("v"):
        return False
    return old.core[:2] == new.core[:2] and old.core[2] < new.core[2] and old.pre == new.pre


def source_moves(base: Application, head: Application) -> Iterator[Move]:
    """The sources of an Application that stay the same but for their version, in order."""
    old, new = base.sources, head.sources
    if len(old) != len(new):
        return
    for index, (before, after) in enumerate(zip(old, new, strict=True)):
        same = (before.repo_url, before.chart, before.path) == (after.repo_url, after.chart, after.path)
        if same and before.target_revision != after.target_revision:
            path = f"spec.sources[{index}]" if head.spec.sources else "spec.source"
            yield Move(_name(after), before.target_revision, after.target_revision, f"{path}.targetRevision")


def _name(source: Source) -> str:
    if source.chart:
        return f"chart {source.chart}"
    return f"source {source.repo_url.rstrip('/').rpartition('/')[2].removesuffix('.git') or '(here)'}"


def only_patches(base: Application | None, head: Application | None) -> bool:
    """Whether two definitions are the same, or differ in nothing but patch versions of their charts."""
    if base is None or head is None or base == head:
        return base == head
    if len(base.sources) != len(head.sources):
        return False
    for before, after in zip(base.sources, head.sources, strict=True):
        if before.target_revision != after.target_revision and not (
            after.chart and is_patch(before.target_revision, after.target_revision)
        ):
            return False
    return _without_versions(base) == _without_versions(head)


def _without_versions(application: Application) -> Application:
    def bare(source: Source) -> Source:
        return msgspec.structs.replace(source, target_revision="")

    spec = application.spec
    return msgspec.structs.replace(
        application,
        spec=msgspec.structs.replace(
            spec, source=bare(spec.source) if spec.source else None, sources=tuple(map(bare, spec.sources))
        ),
    )


def dependency_moves(base: Preparation, head: Preparation) -> Iterator[Move]:
    """The dependencies named in charts of both sides whose version differs, in order of file and name."""
    old, new = _chart_files(base), _chart_files(head)
    for path in sorted(old.keys() & new.keys()):
        if old[path].identity == new[path].identity:
            continue
        before, after = _dependencies(old[path]), _dependencies(new[path])
        for name in sorted(before.keys() & after.keys()):
            if before[name] != after[name]:
                yield Move(f"chart {name}", before[name], after[name], "")


def _chart_files(side: Preparation) -> Mapping[str, InputFile]:
    return {
        file.path: file
        for source in side.sources
        if source.renderer == "helm"
        for file in source.files
        if file.path.rpartition("/")[2] in ("Chart.yaml", "requirements.yaml") and not file.link
    }


def _dependencies(file: InputFile) -> Mapping[str, str]:
    """The versions of a chart's dependencies by name; empty for a file that cannot be read."""
    content = file.content if file.tree is None else file.tree.blobs([file.oid])[file.oid]
    try:
        document = yaml.load(content)
    except yaml.YamlError:
        return {}
    found: Any = document.get("dependencies") if isinstance(document, dict) else None
    return {
        str(entry["name"]): str(entry["version"])
        for entry in (found if isinstance(found, list) else ())
        if isinstance(entry, dict) and entry.get("name") and entry.get("version")
    }


def major_jumps(moves: Iterable[Move], application: Application | None) -> Iterator[Signal]:
    """The signal for each move to a higher major version.

    One of the Application's own sources is told as its parent's rendering would tell it, so that both are one.
    """
    for move in moves:
        if is_major(move.before, move.after):
            message = f"{short(move.name)}: {short(move.before)} → {short(move.after)}"
            signal = Signal(id="major-version", severity="warning", message=message)
            if move.path and application is not None:
                signal = msgspec.structs.replace(
                    signal,
                    group="argoproj.io",
                    kind="Application",
                    namespace=application.metadata.namespace or "",
                    name=application.name,
                    path=move.path,
                )
            yield signal
