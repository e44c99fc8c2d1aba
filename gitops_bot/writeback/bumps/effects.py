"""What the edits of a bump reach: the targets that render differently, and the environments that are written for. Pure.

What was asked for says least: a rule, or ``--file``, may lead into a file of another environment, and a file that is
nobody's alone deploys to everyone who reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from gitops_bot.model.image import reference
from gitops_bot.model.settings import Settings
from gitops_bot.model.tree import Tree
from gitops_bot.writeback.bumps.request import BumpRequest
from gitops_bot.writeback.bumps.rules import Planned, Write
from gitops_bot.writeback.editor.address import Address, Key
from gitops_bot.writeback.editor.files import FileChange, FileEdits, edit_files
from gitops_bot.writeback.editor.leaves import Leaf
from gitops_bot.writeback.environments import environments_of, owners_of
from gitops_bot.writeback.refused import Refused
from gitops_bot.writeback.shadow import Edited, Effect, Renderer, Shadows
from gitops_bot.writeback.subjects import Moved, Part, Subject


class Reach(NamedTuple):
    """What the edits do beyond their files."""

    changes: tuple[str, ...] = ()
    """Names of the targets that render differently, in order."""
    notes: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    """Why an edit would do nothing, or break what is rendered."""
    hint: str = ""
    images: tuple[Subject, ...] = ()
    """The images that targets render now and did not before; the ``file`` of each is its target's id."""
    environments: Mapping[str, frozenset[str]] = {}
    """File (links followed), or target's id → names of the environments that something is written for there."""

    def of(self, file: str) -> frozenset[str]:
        """The environments that something is written for in a file, or that a target is of."""
        return self.environments.get(file, frozenset())


def edits_of(planned: Iterable[Planned]) -> list[FileEdits]:
    """The edits of every file, in order of path."""
    by_file: dict[str, list[Write]] = {}
    for each in planned:
        for write in each.writes:
            by_file.setdefault(write.file, []).append(write)
    return [FileEdits(file, [write.edit for write in by_file[file]]) for file in sorted(by_file)]


def reach(
    tree: Tree,
    planned: Sequence[Planned],
    request: BumpRequest,
    changes: Sequence[FileChange],
    policy: Settings,
    renderer: Renderer | None,
) -> Reach:
    """What the edits reach; each thing that is asked for must have an effect of its own.

    ``renderer`` None: nothing is rendered, and that is said.
    """
    shadows = Shadows(tree, renderer) if renderer is not None else None
    names: set[str] = set()
    notes = [] if shadows else ["the effect of the edit on what is rendered was not checked"]
    refused: list[str] = []
    hint = ""
    images: list[Subject] = []
    environments: dict[str, frozenset[str]] = {}
    for each in planned:
        own = changes if len(planned) == 1 else edit_files(tree, edits_of([each]), create=request.create)
        changed = [change for change in own if change.changed]
        effect = Effect()
        try:
            effect = shadows.check(_edited(each, changed)) if shadows and changed else effect
        except Refused as error:
            refused += error.reasons
            hint = hint or error.hint
        names.update(effect.changes)
        notes += effect.notes
        files = [change.path for change in changed]
        found = _environments(tree, files, effect, policy) | ({request.environment} if request.environment else set())
        environments |= {file: environments.get(file, frozenset()) | found for file in files}
        for target, text in effect.images:
            images += _image(target.id, text)
            environments[target.id] = environments_of(policy, (target,)) or found
    return Reach(tuple(sorted(names)), tuple(notes), tuple(refused), hint, tuple(images), environments)


def _image(target: str, text: str) -> Iterator[Subject]:
    """An image that is rendered anew, none for a text that names neither tag nor digest."""
    found = reference(text)
    if found is not None:
        part = Part("tag", Moved(target, Address(((Key("image"),),)), None, Leaf(text, "string")))
        yield Subject("image", found.repository, target, (part,))


def _edited(planned: Planned, changed: Sequence[FileChange]) -> Edited:
    values = tuple((change.path, outcome.address) for change in changed for _path, outcome in change.outcomes
                   if outcome.changed)  # fmt: skip
    return Edited(planned.what, {change.path: change.new for change in changed}, values)


def _environments(tree: Tree, files: Iterable[str], effect: Effect, policy: Settings) -> frozenset[str]:
    """Those whose own the files are, and those of which a target renders differently by the edit.

    A file that is nobody's alone also counts for those of which that could not be told, and for all of them where no
    target of any was seen: then nothing says for whom it is not.
    """
    owners = [owners_of(policy, tree, file) for file in files]
    found = environments_of(policy, effect.changed).union(*owners)
    if not all(owners):
        seen = environments_of(policy, (*effect.changed, *effect.unchecked))
        found |= seen or frozenset(policy.environments)
    return found
