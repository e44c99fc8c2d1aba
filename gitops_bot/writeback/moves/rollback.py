"""A rollback: undo a change of an environment in Git, and hold its versions so that no bump brings them back. Pure.

Everything is one commit: the values as they were, and the holds in ``.gitops-bot/holds.yaml``. An environment that
follows tags is rolled back on the branch where its files lie, and gets it with the next patch tag.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from gitops_bot.model.github import Commits, Tag
from gitops_bot.model.settings import Settings
from gitops_bot.model.tree import Tree
from gitops_bot.model.writeback import FileChange, Head, Proposal
from gitops_bot.text.escape import md_code, md_link, md_text
from gitops_bot.writeback.against import held
from gitops_bot.writeback.editor.leaves import MASK, leaves, shown
from gitops_bot.writeback.editor.problems import EditRefused, Problem
from gitops_bot.writeback.environments import known, own_files, tag_pattern
from gitops_bot.writeback.holds import FILE, Hold, add_hold, read_holds, releases
from gitops_bot.writeback.landing.commit_message import visible_text
from gitops_bot.writeback.moves.history import Belongs, Change, differ
from gitops_bot.writeback.moves.pages import Page, commits_section, hold_rows, notes_section, renders_section
from gitops_bot.writeback.moves.promote import Nothing
from gitops_bot.writeback.moves.recorded import LEVEL, ROLLBACK, TAG
from gitops_bot.writeback.moves.revert import Merge, Reverted, renamed, revert
from gitops_bot.writeback.moves.tables import summary_lines, table, trailers
from gitops_bot.writeback.moves.versions import NextTag, Used, next_tag
from gitops_bot.writeback.refused import Refused
from gitops_bot.writeback.shadow import Effect
from gitops_bot.writeback.subjects import Moved, Subject, subjects

_MOST_HELD = 10
"""Single values that are held, where no image and no model is rolled back."""
_LONGEST_HELD = 200


class RollbackRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for."""

    environment: str
    by: str
    """Login or name of who asked."""
    why: str = ""
    """Reason in people's words; ``""``: that it was rolled back."""
    until: str | None = None
    """RFC 3339 time or date at which the holds end; None: when they are released."""
    hold: bool = True
    """False writes no holds: the next bump may bring the version back."""


class RollbackScene(msgspec.Struct, frozen=True, kw_only=True):
    """What was read for one rollback, beside the branch and the change."""

    now: datetime
    """Aware."""
    merge: Merge
    """Git's three-way merge (``doors.merge.merge_text``)."""
    tags: tuple[Tag, ...] = ()
    """All tags of the repository, for an environment that follows tags."""
    used: Used = Used()
    """Names of its releases that shall not be made again."""
    contained: Callable[[str], bool] = lambda _commit: True
    """Whether the branch has a commit."""
    commits: Commits = Commits()
    """For an environment that follows tags: what the branch has and the newest release has not, and what the next tag
    therefore brings as well."""
    apps: Mapping[str, Sequence[str]] = {}
    """File → names of the apps that read it."""
    effect: Callable[[Tree, Sequence[FileChange]], Effect] = lambda _tree, _files: Effect()
    """What files do to what is rendered. Raises Refused where something cannot be rendered any more."""
    diff: Callable[[Proposal], str] = lambda _proposal: ""
    """The rendered diff of a proposal as Markdown, ``""`` for none."""


class Rollback(msgspec.Struct, frozen=True, kw_only=True):
    """What to do."""

    proposal: Proposal
    """Into the branch of the environment's files."""
    subjects: tuple[Subject, ...]
    holds: tuple[Hold, ...] = ()
    """Those that the proposal writes."""
    tag: NextTag | None = None
    """What is tagged when it has landed; None where the environment follows a branch, or is tagged by hand."""


def belongs_to(settings: Settings, environment: str, now: Tree, *past: Tree) -> Belongs:
    """Whether a path is one of the environment's own files, now or under an earlier name in the past trees."""
    own = set(own_files(settings, known(settings, environment), sorted(now.entries)))
    for tree in past:
        own |= set(own_files(settings, environment, sorted(tree.entries)))
        missing = [path for path in own if path in now and path not in tree]
        endings = {path.rpartition(".")[2] for path in missing}
        for path in sorted(tree.entries) if missing else ():
            if path not in now and path.rpartition(".")[2] in endings and tree.entries[path].is_file:
                with contextlib.suppress(EditRefused):
                    own |= {path} if renamed(path, tree, now) in missing else set()
    return frozenset(own).__contains__


def allowed_in(settings: Settings, environment: str, holding_tree: Tree, now: datetime) -> Callable[[Tree], bool]:
    """Whether an environment may be brought to a state, by the holds that ``holding_tree`` has.

    Every value of a state counts, also those that would not change.
    """
    holds = read_holds(holding_tree)

    def allowed(tree: Tree) -> bool:
        return not held(
            _everything(settings, environment, tree), holds, tree, where=lambda _file: (environment,), now=now
        )

    return allowed


def _everything(settings: Settings, environment: str, tree: Tree) -> tuple[Subject, ...]:
    """All that a state's files say, as if it were new."""
    found: list[Moved] = []
    for path in own_files(settings, environment, sorted(tree.entries)):
        try:
            found += [Moved(path, at, None, leaf) for at, leaf in leaves(tree.read(path)).items()]
        except (EditRefused, FileNotFoundError, ValueError):
            continue
    return subjects(settings, found, tree)


def rollback(
    settings: Settings, ask: RollbackRequest, base: Head, change: Change, scene: RollbackScene
) -> Rollback | Nothing:
    """Undo a change in one state of the environment's branch, made anew for every other state.

    Raises EditRefused that says what changed again since, Refused where the old version is itself on hold or does not
    render any more, UsageError for settings that do not fit.
    """
    name = known(settings, ask.environment)
    belongs = belongs_to(settings, name, base.tree, change.before, change.after)
    done = _undone(change, base.tree, belongs, scene.merge)
    if not done:
        return Nothing(f"the files of {name} on {base.branch} say what {change.label} says already")
    found = subjects(settings, [moved for each in done for moved in each.moved], base.tree)
    _refuse_held(found, name, base, scene.now)
    holds = _holds(found, ask) if ask.hold else ()
    files = [*(each.change for each in done), *_with_holds(base.tree, holds)]
    effect = scene.effect(base.tree, files)
    pattern = tag_pattern(settings, name)
    tag = next_tag(scene.tags, pattern, "patch", used=scene.used, contained=scene.contained) if pattern else None
    proposal = Proposal(
        files=tuple(sorted(files, key=lambda each: each.path)),
        subject=f"fix: roll back {name} to {change.label}" + (f" ({tag.name})" if tag else ""),
        message=visible_text("\n".join([change.story, "", *summary_lines(found), *_said(ask, holds)])),
        trailers=(
            (ROLLBACK, name),
            *(((TAG, tag.name), (LEVEL, tag.level)) if tag else ()),
            *trailers(found, name),
        ),
        topic=topic_of_rollback(name),
    )
    page = _page(ask, change, scene, found, holds, tag)
    page.add(renders_section(effect.changes))
    notes = (*_notes(done, change, belongs, tag), *effect.notes)
    page.add(notes_section(notes))
    page.add(commits_section(scene.commits, title="Also in the next tag") if tag else "")
    page.last(scene.diff(proposal))
    return Rollback(
        proposal=msgspec.structs.replace(proposal, body=page.text(), notes=notes),
        subjects=found,
        holds=holds,
        tag=tag,
    )


def topic_of_rollback(environment: str) -> str:
    """What the branch of its pull request is named for."""
    return f"rollback/{environment}"


def _undone(change: Change, now: Tree, belongs: Belongs, merge: Merge) -> list[Reverted]:
    """Every file with the change undone. Raises EditRefused with the problems of all of them."""
    done: list[Reverted] = []
    problems: list[Problem] = []
    for path in differ(change.before, change.after, belongs):
        try:
            each = revert(path, change.before, change.after, now, merge)
        except EditRefused as error:
            problems += [problem if problem.file else problem._replace(file=path) for problem in error.problems]
            continue
        done += [each] if each else []
    if problems:
        raise EditRefused(problems)
    return done


def _refuse_held(found: Sequence[Subject], name: str, base: Head, now: datetime) -> None:
    holds = held(found, read_holds(base.tree), base.tree, where=lambda _file: (name,), now=now)
    if holds:
        raise Refused(
            [f"what {name} would be rolled back to is on hold itself: {hold.told}" for hold in holds],
            hint=f"{releases(holds)} lets it be written again, or name another revision with --to",
        )


def _holds(found: Sequence[Subject], ask: RollbackRequest) -> tuple[Hold, ...]:
    """A hold for every name of a version that is left: images and models, or without any the single values.

    An image is held by its tag and by its digest, because the same bytes may come back under another tag; what stays
    (a tag whose digest was wrong) is not what was left.
    """
    left = [subject for subject in found if subject.changed and subject.kind != "value"]
    left = left or [subject for subject in found if subject.changed and _may_be_held(subject)][:_MOST_HELD]
    why = ask.why or "rolled back"
    made = [
        Hold(what=subject.what, version=version, why=why, by=ask.by, until=ask.until, environment=ask.environment)
        for subject in left
        for version in subject.versions(new=False)
        if version not in subject.versions(new=True)
    ]
    return tuple(dict.fromkeys(made))


def _may_be_held(subject: Subject) -> bool:
    """Whether a single value may be written down once more: no secret, and short."""
    change = subject.parts[0].change
    text = change.old.text if change.old else ""
    return bool(text) and len(text) <= _LONGEST_HELD and shown(change.address, change.old) != MASK


def _with_holds(tree: Tree, holds: Sequence[Hold]) -> list[FileChange]:
    """The file of holds with some more, if that changes it."""
    entry = tree.entry(FILE)
    before = data = tree.read(FILE) if entry else None
    for hold in holds:
        data = add_hold(data, hold)
    if data == before:
        return []
    return [FileChange(path=FILE, content=data, mode=entry.mode if entry and entry.is_file else "100644")]


def _notes(done: Sequence[Reverted], change: Change, belongs: Belongs, tag: NextTag | None) -> list[str]:
    notes = [note for each in done for note in each.notes]
    notes += [f"{each.change.path}: its text was merged, not only its values" for each in done if each.how == "text"]
    others = [path for path in _other_files(change) if not belongs(path)]
    if others:
        names = ", ".join(others[:5]) + (f" and {len(others) - 5} more" if len(others) > 5 else "")
        notes.append(f"left as they are, because they are not this environment's alone: {names}")
    return notes + list(tag.notes if tag else ())


def _other_files(change: Change) -> list[str]:
    before, after = change.before.entries, change.after.entries
    return [
        path
        for path in sorted({*before, *after})
        if path != FILE
        and before.get(path) != after.get(path)
        and not any(side[path].is_directory for side in (before, after) if path in side)
    ]


def _said(ask: RollbackRequest, holds: Sequence[Hold]) -> list[str]:
    asked = f"asked for by {ask.by}" + (f": {ask.why}" if ask.why else "")
    return ["", " ".join(asked.split()), *(hold.told for hold in holds)]


def _page(
    ask: RollbackRequest, change: Change, scene: RollbackScene, found: Sequence[Subject], holds: Sequence[Hold],
    tag: NextTag | None,
) -> Page:  # fmt: skip
    """What is undone, who asked for it, and what is held."""
    page = Page(f"Rolls back {md_code(ask.environment)}: {md_link(md_text(change.story), change.url)}.")
    page.asked(ask.by)
    if ask.why:
        page.add(f"Why: {md_text(' '.join(ask.why.split()))}")
    if tag:
        page.add(f"When it has landed, {md_code(ask.environment)} gets it with the tag {md_code(tag.name)}.")
    page.add(table(found, scene.apps, heads=("now", "back to")))
    if holds:
        rows = hold_rows([(hold.what, hold.version, hold.until or "it is released") for hold in holds])
        page.add(f"Bumps and promotions leave these alone until then:\n\n{rows}")
    elif not ask.hold:
        page.add("Nothing is held: the next bump may bring the version back.")
    return page
