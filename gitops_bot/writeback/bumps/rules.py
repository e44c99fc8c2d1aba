"""From what is asked for to every value that is written: by the rules of the settings, else by what is found. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from gitops_bot.errors import UsageError
from gitops_bot.model.image import same_repository, split
from gitops_bot.model.settings import Settings
from gitops_bot.model.tree import PathEscape, Tree
from gitops_bot.writeback.bumps.models import incomplete, inconsistent
from gitops_bot.writeback.bumps.request import BumpRequest, ImageRequest, Item, ModelRequest, ValueRequest
from gitops_bot.writeback.claims import Claim, Role, rule_address
from gitops_bot.writeback.editor.address import Address, Index, Key, Match, parse
from gitops_bot.writeback.editor.edit import Edit
from gitops_bot.writeback.editor.problems import EditRefused
from gitops_bot.writeback.editor.read import Value, read
from gitops_bot.writeback.editor.search import (
    Found,
    Searched,
    in_environment,
    marked_images,
    marked_models,
    named_images,
    searched,
)
from gitops_bot.writeback.editor.values import kind_after
from gitops_bot.writeback.environments import ENVIRONMENT, known
from gitops_bot.writeback.order import Order
from gitops_bot.writeback.refused import Refused

_PARTS: tuple[Literal["version", "path", "data"], ...] = ("version", "path", "data")
"""Of a model."""
_RULES = "docs/reference/settings.md explains images and models"


class Write(NamedTuple):
    """One value that will be written."""

    file: str
    role: Role
    edit: Edit
    old: str
    """What is there now, ``""`` for nothing: of a whole image reference its tag."""
    new: str


class Planned(NamedTuple):
    """One thing that is asked for, with everything that is written for it."""

    item: Item
    kind: Literal["image", "model", "value"]
    what: str
    """Image repository, model name, or ``FILE#PATH``: as holds and trailers name it."""
    order: Order
    writes: tuple[Write, ...]
    thresholds: Mapping[str, str] = {}
    notes: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    """Which places are written as which image or model."""

    @property
    def main(self) -> tuple[Write, ...]:
        """The writes that carry the version: tags, versions, values."""
        return tuple(write for write in self.writes if write.role in ("tag", "version", "value"))


def plan(tree: Tree, request: BumpRequest, policy: Settings) -> tuple[Planned, ...]:
    """Everything that will be written, in the order of the request.

    Raises UsageError for an environment, image or model that nobody knows, and where it is not clear which of several
    places is meant; Refused for a model that is not whole. All problems of one kind at once.
    """
    if request.environment is not None:
        known(policy, request.environment)
    planner = _Planner(tree, request, policy)
    planned: list[Planned] = []
    problems: list[UsageError] = []
    refusals: list[str] = []
    for item in request.items:
        try:
            planned.append(planner.item(item))
        except UsageError as error:
            problems.append(error)
        except Refused as error:
            refusals += error.reasons
        except EditRefused as error:
            refusals += [problem.told for problem in error.problems]
    if problems:
        raise UsageError("\n  ".join(error.message for error in problems), hint=problems[0].hint)
    if refusals:
        raise Refused(refusals)
    return tuple(planned)


class _Planner:
    """Plans the items of one request on one tree."""

    def __init__(self, tree: Tree, request: BumpRequest, policy: Settings) -> None:
        self.tree = tree
        self.request = request
        self.policy = policy
        self._files: Searched | None = None

    def item(self, item: Item) -> Planned:
        if isinstance(item, ImageRequest):
            return self.image(item)
        return self.model(item) if isinstance(item, ModelRequest) else self.value(item)

    @property
    def files(self) -> Searched:
        """The tree's files of values, read only when a search needs them."""
        if self._files is None:
            self._files = searched(self.tree)
        return self._files

    # -- one value ----------------------------------------------------------------------------------------------------

    def value(self, item: ValueRequest) -> Planned:
        file = self.filled(item.file)
        address = parse(item.path)
        there = self.read(file, address)
        edit = Edit(
            address=address, value=item.value, kind=item.kind or kind_after(there.was if there else None, item.value)
        )
        write = Write(file, "value", edit, there.text if there else "", item.value)
        return Planned(item, "value", f"{file}#{address}", "exact", (write,))

    # -- images -------------------------------------------------------------------------------------------------------

    def image(self, item: ImageRequest) -> Planned:
        rules = [rule for rule in self.policy.images if same_repository(rule.repository, item.repository)]
        places: list[tuple[str, Address, Address | None]] = []
        notes: list[str] = []
        for rule in rules:
            for write in rule.write:
                digest = rule_address(write.digest) if write.digest is not None else None
                places.append((self.filled(write.file), rule_address(write.path), digest))
        if not rules:
            found = self.found(item.repository)
            places = [(each.file, *_places(each)) for each in found]
            notes.append("no rule names the image; found at " + ", ".join(each.told for each in found))
        writes: list[Write] = []
        for file, path, digest in dict.fromkeys(places):
            writes += self.image_writes(item, file, path, digest, notes)
        if item.digest and not any(item.digest in write.edit.value for write in writes if write.edit.value):
            notes.append("the digest is not written: no rule says where")
        order = rules[0].order if rules else "newest"
        versions = tuple(name for name in (item.tag, item.digest) if name)
        claims = tuple(
            Claim("image", item.repository, file, {"tag": path, **({"digest": digest} if digest else {})}, versions)
            for file, path, digest in dict.fromkeys(places)
        )
        return Planned(item, "image", item.repository, order, tuple(writes), notes=tuple(notes), claims=claims)

    def image_writes(
        self, item: ImageRequest, file: str, path: Address, digest: Address | None, notes: list[str]
    ) -> Iterator[Write]:
        """The tag, and the digest where there is a place for it; a digest that would stay behind is taken away."""
        there = self.read(file, path)
        if there is not None and ":" in there.text and same_repository(split(there.text).repository, item.repository):
            whole = f"{there.text.rpartition('@')[0] or there.text}"
            name = split(whole).repository
            pin = f"@{item.digest}" if item.digest else ""
            old = whole.removeprefix(f"{name}:")
            yield Write(file, "tag", Edit(address=path, value=f"{name}:{item.tag}{pin}"), old, item.tag)
            return
        yield Write(file, "tag", Edit(address=path, value=item.tag), there.text if there else "", item.tag)
        if digest is None:
            return
        pinned = self.read(file, digest)
        old = pinned.text if pinned else ""
        if item.digest:
            edit = Edit(address=digest, value=item.digest, create=there is not None)
            yield Write(file, "digest", edit, old, item.digest)
        elif old:
            notes.append(f"{file}:{pinned.line if pinned else 0}: {digest} pinned the old image, so it is emptied")
            value = None if _in_list(digest) else ""
            yield Write(file, "digest", Edit(address=digest, value=value), old, "")

    def found(self, repository: str) -> tuple[Found, ...]:
        """Where an image stands without a rule. Raises UsageError when nowhere, or when it is not clear where."""
        marked = in_environment(
            marked_images(self.files, repository), self.request.environment, self.policy.environments
        )
        if marked:
            return marked
        everywhere = named_images(self.files, repository)
        meant = in_environment(everywhere, self.request.environment, self.policy.environments)
        if len(meant) == 1:
            return meant
        listed = "".join(f"\n    {each.told}" for each in meant or everywhere)
        if not everywhere:
            raise UsageError(
                f"no rule names the image {repository}, and no file of values has it",
                hint=f"add it to images in .gitops-bot.yaml, or name --file and --path; {_RULES}",
            )
        where = f" for {self.request.environment}" if self.request.environment else ""
        known = "several places have it" if meant else "only places of other environments have it"
        environment = "" if self.request.environment else "--environment, or "
        raise UsageError(
            f"no rule names the image {repository}, and {known}{where}:{listed}",
            hint=f"say which by {environment}a rule under images in .gitops-bot.yaml, or with --file and --path",
        )

    # -- models -------------------------------------------------------------------------------------------------------

    def model(self, item: ModelRequest) -> Planned:
        rules = [rule for rule in self.policy.models if rule.name == item.name]
        groups: list[tuple[str, Mapping[str, Address]]] = []
        for rule in rules:
            for write in rule.write:
                named = {"version": write.version, "path": write.path, "data": write.data}
                filled = self.filled(write.file)
                groups.append((filled, {part: rule_address(at) for part, at in named.items() if at is not None}))
        if not rules:
            groups = [(each.file, each.places) for each in self.found_models(item.name)]
        wanted = {part for _, places in groups for part in places}
        reasons = list(incomplete(item, sorted(wanted)))
        writes: list[Write] = []
        for file, places in groups:
            old = {part: there.text if (there := self.read(file, at)) else "" for part, at in places.items()}
            reasons += inconsistent(item, old)
            writes += _model_writes(item, file, places, old)
        if reasons:
            raise Refused(reasons)
        notes = [
            f"the {label} {item.values[part]} is not written: no rule says where"
            for part, label in (("path", "storage path"), ("data", "data version"))
            if item.values[part] and part not in wanted
        ]
        thresholds = thresholds_of(self.policy, item.name)
        claims = tuple(
            Claim("model", item.name, file, {part: places[part] for part in _PARTS if part in places}, (item.version,))
            for file, places in groups
        )
        return Planned(item, "model", item.name, "semver", tuple(writes), thresholds, tuple(notes), claims)

    def found_models(self, name: str) -> tuple[Found, ...]:
        found = in_environment(marked_models(self.files, name), self.request.environment, self.policy.environments)
        if found:
            return found
        known = ", ".join(rule.name for rule in self.policy.models) or "none"
        raise UsageError(
            f"no rule names the model {name} (there are: {known}), and no marker does",
            hint=f"add it to models; {_RULES}",
        )

    # -- files --------------------------------------------------------------------------------------------------------

    def filled(self, file: str) -> str:
        """The file of this environment. Raises UsageError where one is needed and none is named."""
        if ENVIRONMENT not in file:
            return file
        if self.request.environment is None:
            raise UsageError(
                f"{file} is another file in each environment, and none is named",
                hint=f"name one with --environment: {', '.join(self.policy.environments)}",
            )
        return file.replace(ENVIRONMENT, self.request.environment)

    def read(self, file: str, address: Address) -> Value | None:
        """The value at an address, None where there is none. Raises Refused for a file that is not there."""
        try:
            data = self.tree.read(file)
        except (FileNotFoundError, PathEscape):
            raise Refused([f"{file} is not there, or is no file"], hint=_RULES) from None
        try:
            return read(data, address)
        except EditRefused as error:
            raise EditRefused([problem._replace(file=file) for problem in error.problems]) from None


def _model_writes(
    item: ModelRequest, file: str, places: Mapping[str, Address], old: Mapping[str, str]
) -> Iterator[Write]:
    for role in _PARTS:
        if role in places:
            edit = Edit(address=places[role], value=item.values[role])
            yield Write(file, role, edit, old[role], item.values[role])


def _places(found: Found) -> tuple[Address, Address | None]:
    path = found.places.get("tag") or found.places.get("reference") or found.places["digest"]
    return path, found.places.get("digest")


def _in_list(address: Address) -> bool:
    """Whether a key belongs to an item of a list, as in a kustomization, where it is taken out, not emptied."""
    *above, last = address.paths[-1]
    return isinstance(last, Key) and bool(above) and isinstance(above[-1], (Match, Index))


def thresholds_of(policy: Settings, model: str) -> dict[str, str]:
    """Metric → condition: what the rules ask of a model."""
    rules = [rule for rule in policy.models if rule.name == model]
    return {metric: condition for rule in rules for metric, condition in rule.thresholds.items()}


def files_of(planned: Iterable[Planned]) -> tuple[str, ...]:
    """Every file that is written, in order."""
    return tuple(sorted({write.file for each in planned for write in each.writes}))
