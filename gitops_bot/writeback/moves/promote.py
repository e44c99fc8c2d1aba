"""A promotion: what goes from one environment to another, by which pull request, and the tag after it. Pure.

Three kinds. ``branch``: the target follows a branch of its own, and the source's branch is merged into it. ``values``:
the values that are mapped are copied from the source's files to the target's, by a pull request into the branch where
those lie, and for a target that follows tags the next tag is made of the merge. ``tag``: the values are the same
already, but the branch has commits that no release has, and a tag alone promotes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from gitops_bot.errors import UsageError
from gitops_bot.model.github import Commits, Tag
from gitops_bot.model.settings import Promotion as Policy
from gitops_bot.model.settings import Settings
from gitops_bot.model.tree import Tree
from gitops_bot.model.writeback import FileChange, Head, Proposal
from gitops_bot.text.escape import md_cell_code, md_code
from gitops_bot.writeback.against import against
from gitops_bot.writeback.environments import branch_of, known, owners_of, pairs, policy_of, source_of, tag_pattern
from gitops_bot.writeback.holds import read_holds
from gitops_bot.writeback.landing.commit_message import visible_text
from gitops_bot.writeback.moves.brought import brought
from gitops_bot.writeback.moves.code import Code, Origins
from gitops_bot.writeback.moves.copying import copy_values
from gitops_bot.writeback.moves.downgrades import downgrades
from gitops_bot.writeback.moves.drift import drift, drift_table
from gitops_bot.writeback.moves.gates import Gate
from gitops_bot.writeback.moves.halves import halves
from gitops_bot.writeback.moves.pages import (
    Page,
    builds_of,
    code_section,
    commits_section,
    gates_section,
    notes_section,
    renders_section,
)
from gitops_bot.writeback.moves.recorded import LEVEL, PROMOTION, SOURCE, TAG
from gitops_bot.writeback.moves.tables import summary_lines, table, trailers
from gitops_bot.writeback.moves.versions import Level, NextTag, Used, next_tag, tagged
from gitops_bot.writeback.overlay import overlaid
from gitops_bot.writeback.places import Places
from gitops_bot.writeback.refused import Refused
from gitops_bot.writeback.shadow import Effect
from gitops_bot.writeback.subjects import Subject, subjects


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Between which environments a promotion goes, and what has to be read for it."""

    source: str
    target: str
    kind: Literal["branch", "values"]
    base: str
    """Branch that the pull request goes into."""
    head: str
    """Branch that the source's files lie on: for ``branch`` the one that is merged."""
    source_tag: str | None = None
    """Glob of the tags that the source follows: its values are read from the newest release; None: from ``head``."""
    target_tag: str | None = None
    """Glob of the tags that are made for the target; None where it follows a branch, or is tagged by hand."""
    policy: Policy
    level: Level = "patch"


class Nothing(NamedTuple):
    """That there is nothing to do, and why."""

    reason: str


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What was read for one promotion, beside the branch it goes into."""

    source: Tree
    """What the source environment has: the tip of its branch, or its newest release. Where its branch is the one that
    the pull request goes into, the tree of that one's ``Head`` counts instead."""
    source_commit: str
    """Full id of that."""
    merge: tuple[Tree, Tree] | None = None
    """For ``branch``: the target's branch as it is, and as it would be after the merge; where the two conflict, what
    they have in common and the source's branch."""
    now: datetime
    """Aware."""
    gates: tuple[Gate, ...] = ()
    """As ``gates.judge`` made them."""
    tags: tuple[Tag, ...] = ()
    """All tags of the repository, for a target that follows tags."""
    used: Used = Used()
    """Names of the target's releases that shall not be made again."""
    contained: Callable[[str], bool] = lambda _commit: True
    """Whether the branch that the pull request goes into has a commit."""
    commits: Commits = Commits()
    """What the promotion brings: for ``branch`` what ``head`` has and ``base`` has not; else what the branch has and
    the target's release has not."""
    code: tuple[Code, ...] = ()
    """The commits of the application between its old and its new images, where they are known."""
    origins: Mapping[tuple[str, str], Origins] = {}
    """File and image or model → what its old and its new version were built from, where that is known."""
    allow_downgrade: bool = False
    """Whether versions are promoted that are older than the target's."""
    builds: tuple[str, ...] = ()
    """URLs of the runs that built what is promoted; empty: those that the commits of bumps among ``commits`` name."""
    apps: Mapping[str, Sequence[str]] = {}
    """File of the target → names of the apps that read it."""
    effect: Callable[[Tree, Sequence[FileChange]], Effect] = lambda _tree, _files: Effect()
    """What files do to what is rendered. Raises Refused where something cannot be rendered any more."""
    diff: str = ""
    """The rendered diff as Markdown, made elsewhere; ``""`` for none."""
    by: str = ""
    """Login of who asked; ``""`` for a schedule."""


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """What to do."""

    kind: Literal["branch", "values", "tag"]
    route: Route
    title: str
    """Of the pull request."""
    body: str
    """Of the pull request, Markdown without a marker."""
    proposal: Proposal | None = None
    """The commit, for ``values``."""
    tag: NextTag | None = None
    """What is tagged after the merge, or at once for ``tag``; None where the target follows a branch."""
    commit: str = ""
    """What is tagged, for ``tag``: full id."""
    subjects: tuple[Subject, ...] = ()
    gates: tuple[Gate, ...] = ()


def route(settings: Settings, target: str, source: str = "", level: Level | None = None) -> Route:
    """How a promotion goes, by the table of environments. ``source`` ``""`` is the one that the settings name.

    Raises UsageError for environments that are unknown, the same, or not promoted from each other.
    """
    known(settings, target)
    source = known(settings, source) if source else source_of(settings, target)
    if source == target:
        raise UsageError(f"{target} cannot be promoted from itself", hint="name two environments")
    policy = policy_of(settings, source, target)
    there, here = settings.environments[target], settings.environments[source]
    base, head = branch_of(settings, target), branch_of(settings, source)
    by_branch = (
        there.branch is not None and here.branch is not None and base != head and target not in settings.promotion
    )
    if not by_branch and not policy.copy:
        raise UsageError(
            f"nothing says which values go from {source} to {target}",
            hint=f"list their paths in promotion.{target}.copy, such as image.tag",
        )
    return Route(
        source=source,
        target=target,
        kind="branch" if by_branch else "values",
        base=base,
        head=head,
        source_tag=here.tag,
        target_tag=tag_pattern(settings, target),
        policy=policy,
        level=level or policy.level,
    )


def promote(settings: Settings, way: Route, base: Head, scene: Scene) -> Promotion | Nothing:
    """What a promotion does to one state of the branch it goes into, made anew for every other state.

    Raises EditRefused for values that cannot be copied, Refused where a hold stands against them or a reference can
    move, UsageError for settings that do not fit.
    """
    if not scene.builds:
        scene = msgspec.structs.replace(scene, builds=builds_of(scene.commits, way.source))
    if way.kind == "branch":
        return _by_branch(settings, way, base, scene)
    if way.source_tag is None and way.head == way.base:
        scene = msgspec.structs.replace(scene, source=base.tree, source_commit=base.commit)
    return _by_values(settings, way, base, scene)


def _by_branch(settings: Settings, way: Route, base: Head, scene: Scene) -> Promotion | Nothing:
    if not scene.commits.total:
        return Nothing(f"{way.base} has every commit of {way.head}: {way.target} is where {way.source} is")
    found = brought(settings, way.target, *scene.merge) if scene.merge is not None else ()
    _refuse(settings, found, way, base, scene.merge[1] if scene.merge is not None else base.tree, scene.now)
    back = _downgrades(settings, found, scene)
    if back and not scene.allow_downgrade:
        return Nothing("; ".join(back))
    count = "1 commit" if scene.commits.total == 1 else f"{scene.commits.total} commits"
    ends = f"from {md_code(way.source)} to {md_code(way.target)}"
    page = Page(f"Merges {md_code(way.head)} into {md_code(way.base)}: {count} {ends}.")
    page.asked(scene.by)
    versions = [subject for subject in found if subject.kind != "value"]
    if versions:
        page.add(table(versions, scene.apps, heads=_heads(way)))
    page.add(gates_section(scene.gates))
    page.add(notes_section(back))
    page.add(code_section(scene.code, scene.builds))
    page.add(commits_section(scene.commits))
    page.last(scene.diff)
    title = f"chore: promote {way.source} to {way.target}"
    return Promotion(kind="branch", route=way, title=title, body=page.text(), subjects=found, gates=scene.gates)


def _by_values(settings: Settings, way: Route, base: Head, scene: Scene) -> Promotion | Nothing:
    files = pairs(settings, way.source, way.target, scene.source.entries)
    if not files:
        raise UsageError(
            f"no file of {way.source} was found whose values could go to {way.target}",
            hint="name the files in images[].write or models[].write, with {environment} in them",
        )
    copying = copy_values(files, way.policy.copy, scene.source, base.tree)
    after = overlaid(base.tree, {file.path: file.content for file in copying.files if file.content is not None})
    found = subjects(settings, [*copying.moved, *copying.same], after)
    apart = [*halves(found, files, scene.source, after, target=way.target)]
    _refuse(settings, found, way, base, after, scene.now, apart)
    back = _downgrades(settings, found, scene)
    if back and not scene.allow_downgrade:
        return Nothing("; ".join(back))
    tag = _next(way, scene) if way.target_tag else None
    if not copying.files:
        return _by_tag(way, base, scene, tag)
    effect = scene.effect(base.tree, copying.files)
    everything = [(each.file, each.address) for each in (*copying.moved, *copying.same)]
    differences = drift(files, scene.source, base.tree, everything)
    page = Page(_lead(way, tag))
    page.asked(scene.by)
    page.add(table(found, scene.apps, heads=_heads(way)))
    page.add(renders_section(effect.changes))
    page.add(gates_section(scene.gates))
    notes = (*back, *copying.notes, *effect.notes, *(tag.notes if tag else ()))
    page.add(notes_section(notes))
    page.add(code_section(scene.code, scene.builds))
    page.add(commits_section(scene.commits, title="Commits that the next tag brings" if tag else "Commits"))
    page.add(drift_table(differences, way.source, way.target))
    page.last(scene.diff)
    title = f"chore: promote {way.source} to {way.target}" + (f" ({tag.name})" if tag else "")
    proposal = Proposal(
        files=copying.files,
        subject=title,
        body=page.text(),
        message=visible_text("\n".join([*summary_lines(found), *(f"build: {url}" for url in scene.builds)])),
        trailers=(*_trailers(way, scene, tag), *trailers(found, way.target, scene.builds[0] if scene.builds else "")),
        topic=f"promote/{way.target}",
        notes=notes,
    )
    return Promotion(
        kind="values", route=way, title=title, body=proposal.body, proposal=proposal, tag=tag, subjects=found,
        gates=scene.gates,
    )  # fmt: skip


def _by_tag(way: Route, base: Head, scene: Scene, tag: NextTag | None) -> Promotion | Nothing:
    """The values are the same: only a tag may be missing."""
    same = f"{way.target} has the values of {way.source} already"
    if tag is None or way.target_tag is None:
        return Nothing(same)
    there = tagged(scene.tags, way.target_tag, base.commit)
    if there is not None:
        return Nothing(f"{same}, and {there.name} is the tip of {way.base}")
    if tag.previous and not scene.commits.total:
        return Nothing(f"{same}, and {way.base} has nothing that {tag.previous} has not")
    page = Page(f"Only the tag {md_code(tag.name)} is missing: {same}.")
    page.asked(scene.by)
    page.add(gates_section(scene.gates))
    page.add(notes_section(tag.notes))
    page.add(code_section((), scene.builds))
    page.add(commits_section(scene.commits))
    page.last(scene.diff)
    title = f"chore: promote {way.source} to {way.target} ({tag.name})"
    return Promotion(
        kind="tag", route=way, title=title, body=page.text(), tag=tag, commit=base.commit, gates=scene.gates
    )


def _refuse(
    settings: Settings, found: Sequence[Subject], way: Route, base: Head, after: Tree, now: datetime,
    apart: Sequence[str] = (),
) -> None:  # fmt: skip
    """Raise Refused for versions on hold, for what can move into a protected environment, and for what comes apart."""
    real = Places(after).real
    where = {each.file: owners_of(settings, after, real(each.file)) | {way.target} for each in found}
    stands = against(found, read_holds(base.tree), after, settings, where=where.__getitem__, now=now)
    if stands.reasons or apart:
        hint = stands.hint if stands.reasons else "an image or a model is promoted as a whole"
        raise Refused([*stands.reasons, *apart], hint=hint)


def _downgrades(settings: Settings, found: Sequence[Subject], scene: Scene) -> tuple[str, ...]:
    return downgrades(settings, found, scene.origins, scene.code, allowed=scene.allow_downgrade)


def _heads(way: Route) -> tuple[str, str]:
    return f"{md_cell_code(way.target)} now", f"from {md_cell_code(way.source)}"


def _next(way: Route, scene: Scene) -> NextTag:
    return next_tag(scene.tags, way.target_tag or "", way.level, used=scene.used, contained=scene.contained)


def _trailers(way: Route, scene: Scene, tag: NextTag | None) -> tuple[tuple[str, str], ...]:
    found = [(PROMOTION, f"{way.source} {way.target}"), (SOURCE, scene.source_commit)]
    return (*found, (TAG, tag.name), (LEVEL, tag.level)) if tag else tuple(found)


def _lead(way: Route, tag: NextTag | None) -> str:
    lead = f"Copies what {md_code(way.source)} has to {md_code(way.target)}."
    if tag is None:
        return lead
    after = f", after {md_code(tag.previous)}" if tag.previous else ""
    return f"{lead} After the merge {md_code(way.target)} gets it with the tag {md_code(tag.name)}{after}."


# -- after the merge --------------------------------------------------------------------------------------------------


def unproved(settings: Settings, way: Route, proved: Tree, merged: Tree) -> tuple[str, ...]:
    """What of the promoted values the target has in ``merged`` otherwise than the source in ``proved``.

    Raises EditRefused.
    """
    files = pairs(settings, way.source, way.target, proved.entries)
    if not files:
        return ("what was merged",)
    return tuple(f"{each.address} of {each.file}" for each in copy_values(files, way.policy.copy, proved, merged).moved)


def tag_after_merge(
    settings: Settings, target: str, commit: str, *, level: Level | None, tags: Sequence[Tag],
    used: Used = Used(), announced: str = "",  # noqa: B008 - a frozen value
    contained: Callable[[str], bool] = lambda _commit: True,
) -> NextTag | Nothing:  # fmt: skip
    """The tag to make of a promotion's merge (full id), reckoned anew, because others may have been made meanwhile.

    ``level`` None is the setting's; ``announced`` is the tag that the title showed. A commit that has its tag already
    gets no second one. Raises UsageError as ``next_tag``.
    """
    follows = settings.environments[known(settings, target)].tag
    policy, pattern = settings.promotion.get(target), tag_pattern(settings, target)
    if pattern is None:
        by_hand = f"promotion.{target}.then does not ask for a tag"
        return Nothing(by_hand if follows else f"{target} follows a branch: the merge is all it needs")
    there = tagged(tags, pattern, commit)
    if there is not None:
        return Nothing(f"{there.name} was made of this commit already")
    found = next_tag(tags, pattern, level or (policy.level if policy else "patch"), used=used, contained=contained)
    if announced and announced != found.name:
        note = f"{announced} was announced; {found.name} is the next one now"
        return msgspec.structs.replace(found, notes=(note, *found.notes))
    return found
