"""Where an image or a model stands in a repository without a rule for it: by markers, or by its name beside it. Pure.

Looked for, in this order: our own markers (``# gitops-bot: image ghcr.io/acme/api:tag``) and Flux's, when the
repository of a policy is in the same tree; then every YAML file in which the image's repository stands: as
``repository`` beside a ``tag``, as an entry of a kustomization's ``images``, or as a whole reference. For a chart whose
``values.yaml`` names the repository, the value files beside it that set the tag count too.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from gitops_bot.manifests import yaml
from gitops_bot.model.image import canonical, same_repository, split
from gitops_bot.model.tree import Tree
from gitops_bot.writeback.editor.address import Address, Index, Key
from gitops_bot.writeback.editor.markers import Marker, find_markers
from gitops_bot.writeback.editor.problems import EditRefused
from gitops_bot.writeback.editor.read import Value, read, scalars

_LEFT_OUT = re.compile(r"(?:^|/)(?:\.git|\.github|\.gitops-bot|node_modules|templates)/")
"""Not written to: workflows, our own settings, a chart's templates."""
_LARGEST = 1_000_000
_FLUX = re.compile(rb"kind:[ \t]*[\"']?Image(?:Policy|Repository)\b")


class Found(NamedTuple):
    """One place where an image or a model stands."""

    file: str
    line: int
    """1 is the first line."""
    places: Mapping[str, Address]
    """``tag`` and ``digest``, or ``reference``; ``version``, ``path`` and ``data`` of a model."""

    @property
    def told(self) -> str:
        """``k8s/values-staging.yaml:6: image.tag``."""
        return f"{self.file}:{self.line}: {next(iter(self.places.values()))}"


class Searched(NamedTuple):
    """The files that may be written to, with their content."""

    contents: Mapping[str, bytes]
    """Path → bytes, in order of path."""


def searched(tree: Tree) -> Searched:
    """The YAML files of a tree that people keep values in."""
    paths = []
    for path in tree.below(""):
        entry = tree.entry(path)
        assert entry is not None
        if entry.is_file and path.endswith((".yaml", ".yml")) and not _LEFT_OUT.search(path) and entry.size < _LARGEST:
            paths.append((path, entry.oid))
    blobs = tree.blobs(sorted({oid for _, oid in paths}))
    return Searched({path: blobs[oid] for path, oid in sorted(paths)})


def in_environment(found: Iterable[Found], environment: str | None, environments: Iterable[str]) -> tuple[Found, ...]:
    """The places that may be meant for an environment, by the words of their paths.

    Those whose path names the environment, else those that name none; without an environment all of them.
    """
    listed = tuple(found)
    if environment is None:
        return listed
    own = tuple(each for each in listed if _names(each.file, environment))
    others = [name for name in environments if name != environment]
    return own or tuple(each for each in listed if not any(_names(each.file, name) for name in others))


def _names(path: str, environment: str) -> bool:
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(environment)}(?![A-Za-z0-9])", path) is not None


def above(address: Address) -> Address:
    """The address of what an address lies directly in; its last path may then be empty."""
    return address._replace(paths=(*address.paths[:-1], address.paths[-1][:-1]))


# -- markers ----------------------------------------------------------------------------------------------------------


def marked_images(files: Searched, repository: str) -> tuple[Found, ...]:
    """The places that markers give to an image, in order; markers of one file and one mapping go together."""
    watched = policies(files)

    def part(marker: Marker) -> str | None:
        name = watched.get(marker.name) if marker.what == "policy" else marker.name
        if marker.what == "model" or name is None or not same_repository(name, repository):
            return None
        return marker.part or "reference"

    return _marked(files, part, ("tag", "digest", "reference"))


def marked_models(files: Searched, name: str) -> tuple[Found, ...]:
    """The places that markers give to a model, one for each file that has any."""

    def part(marker: Marker) -> str | None:
        return marker.part if marker.what == "model" and marker.name == name else None

    return _marked(files, part, ("version", "path", "data"), whole_file=True)


def _marked(files: Searched, part: Any, wanted: tuple[str, ...], *, whole_file: bool = False) -> tuple[Found, ...]:
    found = []
    for path, data in files.contents.items():
        groups: dict[str, dict[str, tuple[Address, int]]] = {}
        for marker in find_markers(data).found:
            name = part(marker)
            if name not in wanted:
                continue
            parent = "" if whole_file else str(above(marker.address))
            groups.setdefault(parent, {})[name] = (marker.address, marker.line)
        for group in groups.values():
            ordered = {name: group[name] for name in wanted if name in group}
            line = next(iter(ordered.values()))[1]
            found.append(Found(path, line, {name: address for name, (address, _line) in ordered.items()}))
    return tuple(found)


def policies(files: Searched) -> dict[str, str]:
    """``namespace:name`` of each Flux ImagePolicy → the repository it watches."""
    images: dict[tuple[str, str], str] = {}
    refs: dict[str, tuple[str, str]] = {}
    for data in files.contents.values():
        if not _FLUX.search(data):
            continue
        for document in _documents(data):
            metadata, spec = document.get("metadata"), document.get("spec")
            if not isinstance(metadata, dict) or not isinstance(spec, dict):
                continue
            here = str(metadata.get("namespace") or "default"), str(metadata.get("name") or "")
            if document.get("kind") == "ImageRepository":
                images[here] = str(spec.get("image") or "")
            elif document.get("kind") == "ImagePolicy" and isinstance(spec.get("imageRepositoryRef"), dict):
                ref = spec["imageRepositoryRef"]
                refs[":".join(here)] = str(ref.get("namespace") or here[0]), str(ref.get("name") or "")
    return {policy: images[ref] for policy, ref in refs.items() if ref in images}


def _documents(data: bytes) -> Iterator[dict[str, Any]]:
    try:
        documents = yaml.load_all(data)
    except yaml.YamlError:
        return
    yield from (document for document in documents if isinstance(document, dict))


# -- by name ----------------------------------------------------------------------------------------------------------


def named_images(files: Searched, repository: str) -> tuple[Found, ...]:
    """Every place where an image's repository stands with its tag, in order of file and line."""
    found: dict[tuple[str, str], Found] = {}
    bases: list[tuple[str, Address]] = []
    needle = repository.rpartition("/")[2].encode()
    for path, data in files.contents.items():
        if needle not in data:
            continue
        for each in _in_file(path, data, repository, bases):
            found.setdefault((path, str(next(iter(each.places.values())))), each)
    for path, image in bases:
        for other, data in files.contents.items():
            if posixpath.dirname(other) != posixpath.dirname(path) or other == path:
                continue
            overlay = _overlay(other, data, image, repository)
            if overlay is not None:
                found.setdefault((other, str(next(iter(overlay.places.values())))), overlay)
    return tuple(sorted(found.values(), key=lambda each: (each.file, each.line)))


def _in_file(path: str, data: bytes, repository: str, bases: list[tuple[str, Address]]) -> Iterator[Found]:
    """The places of one file; mappings that name the repository as Helm's charts do are added to ``bases``."""
    try:
        values = list(scalars(data))
    except EditRefused:
        return
    by_address = {value.address: value for value in values}
    for value in values:
        last = value.address.paths[-1][-1]
        if not isinstance(last, Key):
            continue
        parent = above(value.address)
        if last.name == "repository" and same_repository(_with_host(by_address, parent, value.text), repository):
            bases.append((path, parent))
            yield from _sibling(path, parent, by_address, "tag", "digest")
        elif last.name in ("name", "newName") and _is_image_entry(value.address):
            if same_repository(value.text, repository):
                yield from _sibling(path, parent, by_address, "newTag", "digest")
        elif last.name in ("image", "value"):
            named = split(value.text)
            if (named.tag or named.digest) and same_repository(named.repository, repository):
                yield Found(path, value.line, {"reference": value.address})


def _with_host(by_address: Mapping[Address, Value], parent: Address, repository: str) -> str:
    """The repository as a whole where its host may stand apart, as ``registry``."""
    registry = by_address.get(parent / "registry")
    return f"{registry.text}/{repository}" if registry is not None and registry.text else repository


def _is_image_entry(address: Address) -> bool:
    path = address.paths[-1]
    return len(path) >= 3 and isinstance(path[-2], Index) and path[-3] == Key("images")


def _sibling(path: str, parent: Address, by_address: Mapping[Address, Value], tag: str, digest: str) -> Iterator[Found]:
    there = {name: parent / key for name, key in (("tag", tag), ("digest", digest)) if parent / key in by_address}
    if there:
        line = by_address[next(iter(there.values()))].line
        yield Found(path, line, {"tag": parent / tag, **there})


def _overlay(path: str, data: bytes, image: Address, repository: str) -> Found | None:
    """The place of a value file that sets the tag of an image which another one names."""
    if image.document is not None or len(image.paths) > 1:
        return None
    try:
        tag, digest, name = (read(data, image / key) for key in ("tag", "digest", "repository"))
    except EditRefused:
        return None
    if tag is None or (name is not None and not _ends_in(repository, name.text)):
        return None
    places = {"tag": image / "tag", **({"digest": image / "digest"} if digest is not None else {})}
    return Found(path, tag.line, places)


def _ends_in(repository: str, name: str) -> bool:
    """Whether a name is the repository's, or that without its host."""
    return same_repository(repository, name) or canonical(repository).endswith(f"/{name}")
