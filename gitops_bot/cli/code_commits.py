"""The commits of the application that a promotion brings, read in whichever repository it is built from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from gitops_bot.cli.evidence import Evidence
from gitops_bot.doors.github.errors import NotFound
from gitops_bot.errors import GitHubError
from gitops_bot.model.github import CommitInfo, Commits
from gitops_bot.model.settings import Settings
from gitops_bot.model.writeback import Head
from gitops_bot.writeback.environments import pairs
from gitops_bot.writeback.moves.code import Code, Span, spans
from gitops_bot.writeback.moves.promote import Route, Scene
from gitops_bot.writeback.subjects import Subject

_MOST_SPANS = 5
"""Comparisons that are read; of more there are links."""


def with_code(
    evidence: Evidence, settings: Settings, way: Route, base: Head, scene: Scene, found: Sequence[Subject]
) -> Scene:
    """The scene with what is known of the code behind the changed versions, and of the builds.

    What cannot be read is left out: then readers have a link, and nothing tells which version is newer.
    """
    copied = {} if way.kind == "branch" else {
        pair.target: pair.source for pair in pairs(settings, way.source, way.target, scene.source.entries)
    }  # fmt: skip
    known = spans(found, lambda file: _history(evidence, base, scene, copied, file), evidence.place.target.name)
    code: list[Code] = []
    for span, what in known.spans.items():
        one = _read(evidence, span, what, ask=len(code) < _MOST_SPANS)
        code += [one] if one is not None else []
    return msgspec.structs.replace(scene, code=tuple(code), origins=known.origins, builds=known.builds or scene.builds)


def _history(
    evidence: Evidence, base: Head, scene: Scene, copied: Mapping[str, str], file: str
) -> Iterator[CommitInfo]:
    """What changed a file of the target, and before it the source's that is copied to it, newest first."""
    yield from evidence.touching(copied.get(file, file), scene.source_commit)
    yield from evidence.touching(file, base.commit)


def _read(evidence: Evidence, span: Span, what: tuple[str, ...], *, ask: bool) -> Code | None:
    """The commits of a span; a link alone where the token cannot read them, None where there are none."""
    place = evidence.place
    url = f"{place.target.server}/{span.repository}/compare/{span.old}...{span.new}"
    link = Code(what, span, Commits(url=url))
    if place.github is None or not ask:
        return link
    try:
        forth = place.github.commits.compare(span.old, span.new, span.repository)
        if forth.total:
            return Code(what, span, forth)
        back = place.github.commits.compare(span.new, span.old, span.repository)
        return Code(what, span, back, back=True) if back.total else None
    except NotFound:
        # Here the tag's words were no commit; elsewhere the token may just not see it.
        return None if span.repository.casefold() == place.target.name.casefold() else link
    except GitHubError:
        return link
