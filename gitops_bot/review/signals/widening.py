"""AppProjects that allow more than before: the entries of their lists, compared as the globs that they are. Pure.

An entry counts where no earlier one covers it; an entry that forbids counts where it goes. Two definitions of one name
are alternatives, so the one that widens least is the measure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from gitops_bot.model import url as urls
from gitops_bot.model.project import DEFAULT_PROJECT, Allowed, KindRule, Project
from gitops_bot.model.signal import Signal
from gitops_bot.review.signals.projects import Projects
from gitops_bot.review.signals.words import listed, short

EVERYTHING = Project(
    source_repos=("*",),
    destinations=(Allowed(server="*", namespace="*"),),
    cluster_resource_whitelist=(KindRule(group="*", kind="*"),),
)
"""What Argo CD's own project ``default`` allows as long as nobody has changed it."""


def widening(projects: Projects, before: str, after: str) -> tuple[Signal, ...]:
    """What an Application raises whose project was ``before`` on the base side and is ``after`` on the head side."""
    gained = widened(
        projects.allowed_by_base(before) or _everything(projects, before),
        projects.allowed_by_head(after) or _everything(projects, after),
    )
    if not gained:
        return ()
    if before != after:
        message = f"it moves from AppProject {short(before)} to {short(after)}, which allows more: {listed(gained)}"
        return (Signal(id="project-widened", severity="warning", message=message, path="spec.project"),)
    message = f"AppProject {short(after)} allows more: {listed(gained)}"
    return (
        Signal(
            id="project-widened",
            severity="warning",
            message=message,
            group="argoproj.io",
            kind="AppProject",
            name=after,
            path="spec",
        ),
    )


def _everything(projects: Projects, name: str) -> tuple[Project, ...]:
    """What stands for the project ``default`` where nobody here defines it."""
    return (EVERYTHING,) if name == DEFAULT_PROJECT and not projects.of(name) else ()


def widened(before: Sequence[Project], after: Sequence[Project]) -> tuple[str, ...]:
    """What a project allows and did not, in words, in order and each once; empty when one side has no definition."""
    found = [min((tuple(_gained(old, new)) for old in before), key=len, default=()) for new in after]
    return tuple(dict.fromkeys(words for each in found for words in each))


def _gained(old: Project, new: Project) -> Iterator[str]:
    yield from _sources(old, new)
    yield from _places(old.destinations or (), new.destinations or ())
    yield from _kinds("cluster-scoped kind", old.cluster_resource_whitelist or (), new.cluster_resource_whitelist or ())
    if old.namespace_resource_whitelist is not None:
        if new.namespace_resource_whitelist is None:
            yield "every namespaced kind"
        yield from _kinds("namespaced kind", old.namespace_resource_whitelist, new.namespace_resource_whitelist or ())
    yield from _kinds(
        "the forbidden cluster-scoped kind",
        new.cluster_resource_blacklist or (),
        old.cluster_resource_blacklist or (),
    )
    yield from _kinds(
        "the forbidden namespaced kind", new.namespace_resource_blacklist or (), old.namespace_resource_blacklist or ()
    )


def _sources(old: Project, new: Project) -> Iterator[str]:
    had, has = old.source_repos or (), new.source_repos or ()
    spelled = {urls.normalise_git(entry) for entry in had}
    for entry in has:
        known = "*" in had or urls.normalise_git(entry) in spelled
        if not known and not entry.startswith("!") and (_is_glob(entry) or not old.allows_source(entry)):
            yield f"the source {urls.shown(entry)}"
    for entry in had:
        if entry.startswith("!") and entry not in has:
            yield f"the forbidden source {urls.shown(entry[1:])}"


def _places(old: Sequence[Allowed], new: Sequence[Allowed]) -> Iterator[str]:
    for entry in new:
        if not _denies(entry) and not any(_includes(other, entry) for other in old if not _denies(other)):
            yield f"the destination {_place(entry)}"
    for entry in old:
        if _denies(entry) and entry not in new:
            yield f"the forbidden destination {_place(entry)}"


def _kinds(what: str, old: Sequence[KindRule], new: Sequence[KindRule]) -> Iterator[str]:
    """The rules of ``new`` that none of ``old`` covers."""
    for rule in new:
        if not any(
            _covers(other.group or "", rule.group or "")
            and _covers(other.kind or "", rule.kind or "")
            and _covers(other.name or "*", rule.name or "*")
            for other in old
        ):
            name = f" {rule.name}" if rule.name else ""
            yield f"{what} {rule.kind or '(none)'}{f'.{rule.group}' if rule.group else ''}{name}"


def _denies(entry: Allowed) -> bool:
    return any((part or "").startswith("!") for part in (entry.server, entry.name, entry.namespace))


def _includes(other: Allowed, entry: Allowed) -> bool:
    """Whether one destination takes in another; a cluster by name and one by URL are different clusters to it."""
    cluster = [(other.server, entry.server), (other.name, entry.name)]
    within = all(_covers(one, two) if one and two else not two for one, two in cluster)
    return (within or other.server == "*") and _covers(other.namespace or "", entry.namespace or "")


def _place(entry: Allowed) -> str:
    cluster = urls.shown(entry.server) if entry.server else entry.name or "(no cluster)"
    return f"{cluster}, namespace {entry.namespace or '(none)'}"


def _covers(glob: str, entry: str) -> bool:
    """Whether everything that one entry matches, another matches too, as far as that is certain."""
    if glob in ("*", entry):
        return True
    return not _is_glob(entry) and fnmatchcase(entry, glob)


def _is_glob(entry: str) -> bool:
    return any(sign in entry for sign in "*?[{")
