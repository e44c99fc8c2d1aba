"""The commits of the application that a promotion brings: those between what runs and what is promoted. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from gitops_bot.model.github import CommitInfo, Commits
from gitops_bot.writeback.sources import Built, built
from gitops_bot.writeback.subjects import Subject


class Span(NamedTuple):
    """Two commits of one repository, between which images or models were built anew."""

    repository: str
    """``owner/name``."""
    old: str
    new: str
    """Ids, or their beginnings."""


class Code(NamedTuple):
    """The commits of one span."""

    what: tuple[str, ...]
    """The images and models that are built from it."""
    span: Span
    commits: Commits
    """Without any, but with a URL, where they could not be read."""
    back: bool = False
    """True: these are taken back, because what is promoted is older."""


class Origins(NamedTuple):
    """What the old and the new version of one thing were built from."""

    old: Built = Built()
    new: Built = Built()


class Found(NamedTuple):
    """What is known of where changed versions come from."""

    spans: dict[Span, tuple[str, ...]]
    """With the images and models that are built from each, in order."""
    builds: tuple[str, ...]
    """URLs of the builds of the new versions, each once."""
    origins: Mapping[tuple[str, str], Origins]
    """By file and image or model."""


def spans(found: Sequence[Subject], history: Callable[[str], Iterable[CommitInfo]], own: str) -> Found:
    """Where the changed images and models among subjects come from.

    ``history`` gives the commits that wrote a file, newest first. ``own`` is this repository, which a tag's commit is
    of where no commit says another. What is of another repository than before has no span.
    """
    named: dict[Span, list[str]] = {}
    builds: list[str] = []
    origins: dict[tuple[str, str], Origins] = {}
    for subject in found:
        if not subject.changed or subject.kind == "value":
            continue
        new, old = (_built(subject, history, new=side) for side in (True, False))
        origins[subject.file, subject.what] = Origins(old, new)
        builds += [new.run_url] if new.run_url else []
        names = {name for name in (old.repository, new.repository) if name} or {own}
        if old.commit and new.commit and old.commit != new.commit and len(names) == 1:
            named.setdefault(Span(names.pop(), old.commit, new.commit), []).append(subject.what)
    found_spans = {span: tuple(dict.fromkeys(what)) for span, what in named.items()}
    return Found(found_spans, tuple(dict.fromkeys(builds)), origins)


def _built(subject: Subject, history: Callable[[str], Iterable[CommitInfo]], *, new: bool) -> Built:
    versions = subject.versions(new=new)
    return built(history(subject.file), subject.kind, subject.what, versions) if versions else Built()
