"""What an edit does to what is rendered: that it does anything, and that nothing is broken by it.

Nothing is guessed: what an edit affects are the targets whose inputs it changes, and their manifests are rendered
before and after. Only when they are the same is it looked for what wins over the edited value, to name its file and
line (precedence of Argo CD: parameters, inline values, later value files, earlier ones, the chart's own).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from gitops_bot.model.target import Target
from gitops_bot.model.tree import PathEscape, Tree
from gitops_bot.render.discover import Discovery
from gitops_bot.render.prepared import InputFile, Prepared
from gitops_bot.render.workshop import Preparation, Rendering
from gitops_bot.writeback.editor.address import Address, Document, Key, Match, Step
from gitops_bot.writeback.editor.problems import EditRefused
from gitops_bot.writeback.editor.read import read
from gitops_bot.writeback.editor.setters import Setter, helm_setters, image_setters
from gitops_bot.writeback.overlay import overlaid
from gitops_bot.writeback.refused import Refused

_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_IMAGE = re.compile(rb"""^[ \t-]*["']?image["']?:[ \t]+["']?([^\s"'#]+)""", re.MULTILINE)
"""In what renderers write: one key a line."""
_HINT = "write the value where it counts, or take away what stands above it"


class Renderer(NamedTuple):
    """How a tree is looked at and rendered: handed in, the same for every tree of a run."""

    discover: Callable[[Tree], Discovery]
    key: Callable[[Preparation], str]
    """Equal keys, equal manifests; ``""`` for one that could not be prepared."""
    render: Callable[[Preparation], Rendering]


class Edited(NamedTuple):
    """The edits of one thing that was asked for."""

    what: str
    """Image repository, model name, or ``FILE#PATH``."""
    files: Mapping[str, bytes]
    """Real path → content with these edits only."""
    values: tuple[tuple[str, Address], ...]
    """(real path, address) of every value that changes, the version first."""


class Winner(NamedTuple):
    """What decides instead of the edited value."""

    file: str
    line: int
    """0 when it stands in something rendered, which has no line."""
    how: str

    @property
    def told(self) -> str:
        """``argocd/application.yaml:19: helm.parameters sets it``."""
        return f"{self.file}:{self.line}: {self.how}" if self.line else f"{self.file}: {self.how}"


class Effect(NamedTuple):
    """What an edit does."""

    changed: tuple[Target, ...] = ()
    """The targets that render differently, in order of name."""
    unchecked: tuple[Target, ...] = ()
    """Those that may, and of which that cannot be told."""
    images: tuple[tuple[Target, str], ...] = ()
    """Every image reference that a target renders now and did not before, in order."""
    notes: tuple[str, ...] = ()
    """What could not be checked, and targets that stay the same beside others that change."""

    @property
    def changes(self) -> tuple[str, ...]:
        """Names of the targets that render differently, in order."""
        return tuple(dict.fromkeys(target.name for target in self.changed))


class _Seen(NamedTuple):
    """What became of the targets that an edit touches."""

    changed: list[Target]
    images: list[tuple[Target, str]]
    unchecked: list[Target]
    silent: list[Preparation]
    """Those that render as before."""
    broken: list[str]
    notes: list[str]

    def effect(self, notes: Iterable[str]) -> Effect:
        """The same without what is nothing to the user."""
        changed = sorted(self.changed, key=lambda target: (target.name, target.id))
        return Effect(tuple(changed), tuple(self.unchecked), tuple(self.images), tuple(notes))


class Shadows:
    """Checks the edits of one run on one tree; the tree itself is looked at and rendered once."""

    def __init__(self, tree: Tree, renderer: Renderer) -> None:
        self.tree = tree
        self.renderer = renderer
        self._before: Discovery | None = None

    def check(self, edited: Edited) -> Effect:
        """What the edits do. Raises Refused when all that they affect renders as before, or cannot be rendered."""
        if self._before is None:
            self._before = self.renderer.discover(self.tree)
        carried = _carried(self._before, edited.files)
        seen = self._compared(self._before, edited.files, carried)
        if seen.broken:
            raise Refused(seen.broken, hint="correct the value")
        # A chart's folder holds files of values that only other targets read: beside those they are not worth a word.
        shadowed = [
            f"{old.target.name} renders as before: {why or self._unused(edited)}"
            for old in seen.silent
            if (why := self._why(old, edited)) or not seen.changed
        ]
        if shadowed and not seen.changed:
            raise Refused([f"writing {edited.what} would change nothing: {each}" for each in shadowed], hint=_HINT)
        notes = [*seen.notes, *shadowed]
        if not seen.changed and not notes:
            files = ", ".join(sorted(edited.files))
            notes.append(
                f"{files} changes an Application itself, and nothing that it renders"
                if carried
                else f"nothing that is deployed from this repository reads {files}, so the effect is not checked"
            )
        return seen.effect(notes)

    def whole(self, files: Mapping[str, bytes | None], *, hint: str) -> Effect:
        """What several files (None takes one out) do together; that they change nothing is no fault.

        Raises Refused when a target that rendered cannot be rendered any more; ``hint`` says what to do then.
        """
        if self._before is None:
            self._before = self.renderer.discover(self.tree)
        seen = self._compared(self._before, files, frozenset())
        if seen.broken:
            raise Refused(seen.broken, hint=hint)
        return seen.effect(seen.notes)

    def _compared(self, before: Discovery, files: Mapping[str, bytes | None], left_out: frozenset[str]) -> _Seen:
        """Every target that the edits touch, before and after."""
        after = self.renderer.discover(overlaid(self.tree, files))
        seen = _Seen([], [], [], [], [], [])
        one_side = {*before.preparations} ^ {*after.preparations}
        seen.unchecked.extend({**before.preparations, **after.preparations}[each].target for each in sorted(one_side))
        gone = [one.target.name for each, one in before.preparations.items() if each not in after.preparations]
        seen.notes.extend(f"{name} is not deployed any more" for name in gone)
        for identity, new in after.preparations.items():
            old = before.preparations.get(identity)
            if old is None or identity in left_out:
                continue
            name = new.target.name
            if not self._touched(old, new):
                if old.error is not None and _lies_in(old.target, files):
                    seen.unchecked.append(new.target)
                    seen.notes.append(f"{name} could not be checked: {old.error.message}")
                continue
            told = self._compare(old, new)
            if told == "changed":
                seen.changed.append(new.target)
                seen.images.extend((new.target, image) for image in self._new_images(old, new))
            elif told == "same":
                seen.silent.append(old)
            elif told.startswith("broken "):
                seen.broken.append(f"{name} could not be rendered any more: {told.removeprefix('broken ')}")
            else:
                seen.unchecked.append(new.target)
                seen.notes.append(f"{name} could not be checked: {told}")
        return seen

    def _touched(self, old: Preparation, new: Preparation) -> bool:
        if (old.error is None) != (new.error is None):
            return True
        return old.error is None and self.renderer.key(old) != self.renderer.key(new)

    def _compare(self, old: Preparation, new: Preparation) -> str:
        """``changed``, ``same``, ``broken`` and why, or why it cannot be told."""
        before, after = self.renderer.render(old), self.renderer.render(new)
        if before.error is not None:
            return "changed" if after.error is None else before.error.message
        if after.error is not None:
            return f"broken {after.error.message}"
        if before.manifests == after.manifests:
            return "same"
        return f"two renders of it differ anyway ({new.unstable})" if new.unstable else "changed"

    def _new_images(self, old: Preparation, new: Preparation) -> list[str]:
        """What the pods of a target are made of after the edits, and were not before."""
        before, after = (set(_IMAGE.findall(self.renderer.render(each).manifests)) for each in (old, new))
        return sorted(image.decode("utf-8", "replace") for image in after - before)

    def _why(self, old: Preparation, edited: Edited) -> str:
        """What decides instead for a target; ``""`` where nothing is found."""
        found = [
            winner for file, address in edited.values for winner in winners(self.tree, old, file, address, edited.what)
        ]
        return "; ".join(dict.fromkeys(winner.told for winner in found))

    @staticmethod
    def _unused(edited: Edited) -> str:
        places = " and ".join(f"{address} of {file}" for file, address in edited.values)
        return f"nothing that it renders uses {places}"


def _carried(discovery: Discovery, files: Iterable[str]) -> frozenset[str]:
    """The plain directories that hold an edited Application as a manifest: that it changes there proves nothing."""
    wanted = set(files)
    defining = [one.target for one in discovery.preparations.values() if one.target.application is not None]
    if not any(target.file in wanted for target in defining):
        return frozenset()
    return frozenset(
        identity
        for identity, one in discovery.preparations.items()
        if one.target.kind == "Directory" and _lies_in(one.target, wanted)
    )


def _lies_in(target: Target, files: Iterable[str]) -> bool:
    """Whether one of the files lies in a directory that a target is made from, or defines it."""
    places = [source.path.strip("/") for source in target.sources if source.path]
    return any(file == target.file or any(file.startswith(f"{place}/") for place in places) for file in files)


# -- what wins --------------------------------------------------------------------------------------------------------


def winners(tree: Tree, preparation: Preparation, file: str, address: Address, image: str = "") -> tuple[Winner, ...]:
    """What decides instead of a value of a file for one target, strongest first; empty when nothing is found.

    ``image`` is the repository that the value speaks of, where it is one: kustomize knows images by that name.
    """
    target = preparation.target
    entry = tree.entry(file)
    found: list[Winner] = list(_above_inline(tree, target, file, address))
    for prepared in preparation.sources:
        if entry is None or not any(one.oid == entry.oid for one in prepared.files):
            continue
        if prepared.renderer == "helm" and len(address.paths) == 1 and _has_values(prepared, entry.oid):
            found += _above_files(tree, target, address.paths[0])
            found += _later_files(tree, prepared, entry.oid, address)
        elif prepared.renderer == "kustomize":
            found += _kustomize(tree, target, prepared, file, _image(address) or image)
    return tuple(dict.fromkeys(found))


def _above_files(tree: Tree, target: Target, path: tuple[Step, ...]) -> Iterator[Winner]:
    """What an Application, or an override file beside the chart, sets above all value files."""
    for file, document in _definitions(tree, target):
        for setter in _setters(partial(helm_setters, path=path, document=document), tree, file):
            if setter.covers != "below":
                yield Winner(file, setter.line, f"helm.{setter.where} {_sets(setter)}")
    if target.application is not None and (target.parent is not None or target.generated):
        for source in target.sources:
            for parameter in source.helm.parameters if source.helm else ():
                if parameter.name == ".".join(step.name for step in path if isinstance(step, Key)):
                    yield Winner(target.file, 0, f"helm.parameters of the Application {target.name} sets it")


def _above_inline(tree: Tree, target: Target, file: str, address: Address) -> Iterator[Winner]:
    """What stands above an inline value of an Application in its own file."""
    if file != target.file:
        return
    outer = [step.name if isinstance(step, Key) else "" for step in address.paths[0]]
    if len(address.paths) == 2 and outer[-2:] == ["helm", "values"]:
        own, path = "values", address.paths[1]
    elif "valuesObject" in outer:
        own, path = "valuesObject", address.paths[0][outer.index("valuesObject") + 1 :]
    else:
        return
    for winner in _above_files(tree, target, path):
        if winner.file == file and winner.how.startswith(f"helm.{own} "):
            return
        yield winner


def _definitions(tree: Tree, target: Target) -> Iterator[tuple[str, Document | None]]:
    """The files that say how a target is rendered, strongest first; a document where the file has several."""
    for source in target.sources:
        for name in (f".argocd-source-{target.name}.yaml", ".argocd-source.yaml"):
            path = posixpath.join(source.path or "", name)
            if path in tree:
                yield path, None
    if target.application is not None and target.parent is None:
        yield target.file, None if target.generated else Document(kind="Application", name=target.name)


def _setters(look: Callable[[bytes], tuple[Setter, ...]], tree: Tree, file: str) -> tuple[Setter, ...]:
    try:
        return look(tree.read(file))
    except (EditRefused, FileNotFoundError, PathEscape):
        return ()  # its own problem is told where it is rendered


def _sets(setter: Setter) -> str:
    return "sets it" if setter.covers == "same" else "replaces what it lies in"


def _later_files(tree: Tree, prepared: Prepared, oid: str, address: Address) -> Iterator[Winner]:
    """The value files that Helm reads after the edited one and that set the value too, the last one first."""
    order = _value_files(prepared)
    at = max((index for index, one in enumerate(order) if one.oid == oid), default=-1)
    for one in reversed(order[at + 1 :]):
        yield from _in_file(tree, one, address, "a later value file")
    path = address.paths[0]
    if path[-1] == Key("tag"):
        digest = Address((path[:-1],)) / "digest" if len(path) > 1 else Address(((Key("digest"),),))
        for one in reversed(order):
            for winner in _in_file(tree, one, digest, "", filled=True):
                yield winner._replace(how=f"{digest} pins the image, whatever its tag says")


def _value_files(prepared: Prepared) -> list[InputFile]:
    """The value files that Helm is given, in its order."""
    by_place = {one.path: one for one in prepared.files}
    places = [
        posixpath.normpath(posixpath.join(prepared.directory, prepared.arguments[at + 1]))
        for at, argument in enumerate(prepared.arguments)
        if argument == "--values"
    ]
    return [by_place[place] for place in places if place in by_place]


def _has_values(prepared: Prepared, oid: str) -> bool:
    """Whether Helm reads values from a file: it is given it, or it is a chart's own."""
    own = [one for one in prepared.files if posixpath.basename(one.path) == "values.yaml"]
    return any(one.oid == oid for one in (*_value_files(prepared), *own))


def _in_file(tree: Tree, one: InputFile, address: Address, label: str, *, filled: bool = False) -> Iterator[Winner]:
    """The value, or a single value in place of what it lies in, in a value file."""
    if one.tree is None:
        return
    data = one.tree.blobs([one.oid])[one.oid]
    path = address.paths[0]
    for end in range(len(path), 0, -1):
        try:
            there = read(data, Address((path[:end],)))
        except EditRefused:
            return
        if there is not None and (there.text or not filled):
            how = "sets it" if end == len(path) else "replaces what it lies in"
            yield Winner(_path_of(tree, one), there.line, f"{label} {how}")
            return


def _path_of(tree: Tree, one: InputFile) -> str:
    """Where an input lies in this repository, else its place in the scratch directory."""
    path = one.path.removeprefix("repo/")
    entry = tree.entry(path)
    if entry is not None and entry.oid == one.oid:
        return path
    return next((path for path, entry in sorted(tree.entries.items()) if entry.oid == one.oid), one.path)


def _kustomize(tree: Tree, target: Target, prepared: Prepared, file: str, image: str) -> Iterator[Winner]:
    """What sets an image above the edited kustomization: the Application, and kustomizations that build on it."""
    if not image:
        return
    for definition, document in _definitions(tree, target):
        for setter in _setters(partial(image_setters, name=image, document=document), tree, definition):
            yield Winner(definition, setter.line, "kustomize.images sets it")
    for one in prepared.files:
        path = _path_of(tree, one) if one.oid else ""
        if posixpath.basename(path) not in _KUSTOMIZATIONS or path == file or one.tree is None:
            continue
        data = one.tree.blobs([one.oid])[one.oid]
        for key in ("digest", "newTag"):
            address = Address(((Key("images"), Match("name", image), Key(key)),))
            try:
                there = read(data, address)
            except EditRefused:
                continue
            if there is not None and there.text:
                yield Winner(path, there.line, f"{address} of another kustomization sets it")


def _image(address: Address) -> str:
    """The name in ``images[name=…].newTag``, ``""`` for any other address."""
    path = address.paths[-1]
    if len(path) >= 3 and path[-3] == Key("images") and isinstance(path[-2], Match) and path[-2].field == "name":
        return path[-2].value
    return ""
