"""What in an Argo CD Application sets a Helm value or a kustomize image, strongest first.

Parameters win over the inline values, these over value files; ``valuesObject`` replaces ``values`` (Argo CD's
``util/helm/cmd.go``). Of two parameters of one name the later one wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from gitops_bot.manifests.yaml import YamlError
from gitops_bot.writeback.editor.address import Address, Document, Index, Key, Match, Step
from gitops_bot.writeback.editor.inside import text_within
from gitops_bot.writeback.editor.locate import Place, is_null, merged
from gitops_bot.writeback.editor.nodes import Stream, decode
from gitops_bot.writeback.editor.problems import EditRefused, Problem, Refusal

Where = Literal["parameters", "fileParameters", "valuesObject", "values", "kustomize.images"]
Covers = Literal["same", "above", "below"]
_SOURCES = {
    "Application": ("spec",),
    "ApplicationSet": ("spec", "template", "spec"),
}


class Setter(NamedTuple):
    """One place of an Application that decides about a Helm value or an image."""

    where: Where
    covers: Covers
    """``same``: it sets the very value; ``above``: it sets something around it, and so hides the value of files;
    ``below``: it sets only parts of it."""
    address: Address
    """Of the value that is set; for ``above`` of what is around it. An edit there changes what is in force."""
    line: int
    """Of that value; 1 is the first line of the file."""
    text: str | None
    """What it sets the value to; None for a mapping, a list, or what a file holds."""
    source: int | None
    """Place in ``spec.sources``; None for ``spec.source`` and ``.argocd-source.yaml``."""


def helm_setters(data: bytes, path: Sequence[Step], *, document: Document | None = None) -> tuple[Setter, ...]:
    """What sets a Helm value in the file's Applications (and ApplicationSets, and in an ``.argocd-source.yaml``).

    ``path`` is the value's, as ``parse_path("image.tag")``. In order: by document and source, in each the strongest
    first. Empty: nothing does, and the value files decide. Raises EditRefused for a file that cannot be read, also for
    a text of ``values`` that cannot.
    """
    found: list[Setter] = []
    for stream, base, source, node in _sources(data, document):
        helm = stream.get(node, "helm")
        if helm is None:
            continue
        look = _Look(stream, base / "helm", source, tuple(path))
        parameters, files = stream.get(helm, "parameters"), stream.get(helm, "fileParameters")
        found += look.parameters(parameters, "parameters")
        found += look.parameters(files, "fileParameters")
        inline = stream.get(helm, "valuesObject")
        text = stream.get(helm, "values")
        if inline is not None and not is_null(stream, stream.resolved(inline)):
            found += look.values(stream, inline, base / "helm" / "valuesObject", "valuesObject", 0)
        elif text is not None:
            found += look.text(text)
    return tuple(found)


def image_setters(data: bytes, name: str, *, document: Document | None = None) -> tuple[Setter, ...]:
    """What overrides a kustomize image in the file's Applications, ``kustomize.images``; the later one wins, so first.

    ``name`` is the image as the manifests write it. Raises EditRefused for a file that cannot be read.
    """
    found: list[Setter] = []
    for stream, base, source, node in _sources(data, document):
        kustomize = stream.get(node, "kustomize")
        images = stream.get(kustomize, "images") if kustomize is not None else None
        if images is None or stream.kind(stream.resolved(images)) != "seq":
            continue
        here = [
            Setter(
                "kustomize.images",
                "same",
                (base / "kustomize" / "images").down(Index(number)),
                stream.line(item),
                stream.value(item),
                source,
            )
            for number, item in enumerate(stream.items(stream.resolved(images)))
            if image_name(stream.value(item)) == name
        ]
        found += reversed(here)
    return tuple(found)


def image_name(override: str) -> str:
    """The image that ``name=new:tag``, ``name:tag`` or ``name@digest`` speaks of."""
    if "=" in override:
        return override.partition("=")[0]
    name = override.partition("@")[0]
    head, colon, tail = name.rpartition(":")
    return head if colon and "/" not in tail else name


def helm_path(name: str) -> tuple[Step, ...] | None:
    r"""The path that a parameter's name means to Helm's ``--set``: ``a.b``, ``a\.b``, ``list[0].c``; None for none."""
    steps: list[Step] = []
    key: list[str] = []
    at = 0
    while at < len(name):
        char = name[at]
        if char == "\\" and at + 1 < len(name):
            key.append(name[at + 1])
            at += 2
            continue
        if char == "[":
            end = name.find("]", at)
            number = name[at + 1 : end] if end > 0 else ""
            if not (number.isascii() and number.isdigit()) or len(number) > 9:
                return None
            steps += [Key("".join(key))] if key else []
            steps.append(Index(int(number)))
            key, at = [], end
        elif char == ".":
            steps += [Key("".join(key))] if key else []
            key = []
        else:
            key.append(char)
        at += 1
    steps += [Key("".join(key))] if key else []
    return tuple(steps) or None


def _sources(data: bytes, wanted: Document | None) -> Iterator[tuple[Stream, Address, int | None, int]]:
    """Every source of the file: the stream, its address, its place among the sources, its node."""
    try:
        stream = Stream(decode(data)[0])
    except YamlError as error:
        raise EditRefused([Problem(error.problem, line=error.line)]) from None
    for number, root in enumerate(stream.roots):
        if wanted is not None and not _is(stream, number, root, wanted):
            continue
        kind = stream.get(root, "kind")
        keys = _SOURCES.get(stream.value(kind)) if kind is not None else ()
        if keys is None:
            continue
        document = Document(number=number) if len(stream.roots) > 1 else None
        for address, source, node in _of_document(stream, root, Address((tuple(Key(key) for key in keys),), document)):
            yield stream, address, source, node


def _of_document(stream: Stream, root: int, base: Address) -> Iterator[tuple[Address, int | None, int]]:
    """The sources below one document; ``sources`` wins over ``source``, and without a kind the document is one."""
    holder: int | None = root
    for key in base.paths[0]:
        holder = stream.get(holder, key.name) if holder is not None and isinstance(key, Key) else None
    if holder is None:
        return
    single, several = stream.get(holder, "source"), stream.get(holder, "sources")
    if not base.paths[0]:
        yield base, None, root
    elif several is not None and stream.kind(stream.resolved(several)) == "seq":
        for place, item in enumerate(stream.items(stream.resolved(several))):
            yield (base / "sources").down(Index(place)), place, item
    elif single is not None:
        yield base / "source", None, single


def _is(stream: Stream, number: int, root: int, wanted: Document) -> bool:
    if wanted.number is not None:
        return wanted.number == number
    kind, metadata = stream.get(root, "kind"), stream.get(root, "metadata")
    names = {key: stream.get(metadata, key) if metadata is not None else None for key in ("name", "namespace")}
    text = {key: stream.value(node) if node is not None else "" for key, node in names.items()}
    return (
        kind is not None
        and stream.value(kind) == wanted.kind
        and text["name"] == wanted.name
        and wanted.namespace in ("", text["namespace"])
    )


class _Look:
    """Looks for one path in one source's ``helm``."""

    def __init__(self, stream: Stream, helm: Address, source: int | None, path: tuple[Step, ...]) -> None:
        self.stream = stream
        self.helm = helm
        self.source = source
        self.path = path

    def parameters(self, node: int | None, where: Literal["parameters", "fileParameters"]) -> list[Setter]:
        stream = self.stream
        if node is None or stream.kind(stream.resolved(node)) != "seq":
            return []
        items = list(stream.items(stream.resolved(node)))
        names = [stream.get(item, "name") for item in items]
        texts = [stream.value(name) if name is not None else "" for name in names]
        found: list[Setter] = []
        for number, item in enumerate(items):
            covers = _covers(helm_path(texts[number]), self.path)
            if covers is None:
                continue
            key = "value" if where == "parameters" else "path"
            value = stream.get(item, key)
            by_name = texts.count(texts[number]) == 1
            step: Step = Match("name", texts[number]) if by_name else Index(number)
            found.append(
                Setter(
                    where,
                    covers,
                    (self.helm / where).down(step) / key,
                    stream.line(value if value is not None else item),
                    stream.value(value) if value is not None and where == "parameters" else None,
                    self.source,
                )
            )
        return found[::-1]

    def text(self, node: int) -> list[Setter]:
        """The text of ``values``; one that is not literal can be read, though not edited."""
        stream, line = self.stream, self.stream.line(node)
        inner_text, before, literal = stream.value(node), line - 1, False
        try:
            inner_text, before = text_within(stream, Place(node, None, node))
            literal = True
        except Refusal:
            pass
        address = self.helm / "values"
        try:
            inner = Stream(inner_text)
        except YamlError as error:
            there = before + error.line if error.line and literal else line
            raise EditRefused([Problem(f"in the text: {error.problem}", str(address), there)]) from None
        if not inner.roots:
            return []
        found = self.values(inner, inner.roots[0], address._replace(paths=(*address.paths, ())), "values", before)
        return found if literal else [setter._replace(line=line) for setter in found]

    def values(self, stream: Stream, node: int, base: Address, where: Where, before: int) -> list[Setter]:
        """What a mapping of values says about the path; merge keys and aliases are read as Helm reads them."""
        at = node
        for depth, step in enumerate(self.path):
            real = stream.resolved(at)
            kind = stream.kind(real)
            here = base.down(*self.path[:depth])
            if kind == "scalar":
                return [] if depth == 0 else [self.setter(stream, at, here, where, "above", before)]
            if kind == "seq":
                item = _item(stream, real, step)
                if item is None and depth == 0:
                    return []
                if item is None:  # lists are replaced as a whole
                    return [self.setter(stream, at, here, where, "above", before)]
                at = item
                continue
            value = stream.get(real, step.name) if isinstance(step, Key) else None
            if value is None and isinstance(step, Key):
                value = merged(stream, real, step.name)
            if value is None:
                return []
            at = value
        covers: Covers = "same" if stream.kind(stream.resolved(at)) == "scalar" else "below"
        return [self.setter(stream, at, base.down(*self.path), where, covers, before)]

    def setter(self, stream: Stream, node: int, address: Address, where: Where, covers: Covers, before: int) -> Setter:
        text = stream.value(node) if stream.kind(stream.resolved(node)) == "scalar" else None
        return Setter(where, covers, address, before + stream.line(node), text, self.source)


def _item(stream: Stream, node: int, step: Step) -> int | None:
    items = list(stream.items(node))
    if isinstance(step, Index):
        return items[step.number] if step.number < len(items) else None
    if isinstance(step, Match):
        for item in items:
            field = stream.get(item, step.field)
            if field is not None and stream.value(field) == step.value:
                return item
    return None


def _covers(name: tuple[Step, ...] | None, path: tuple[Step, ...]) -> Covers | None:
    if name is None:
        return None
    if name == path:
        return "same"
    if name == path[: len(name)]:
        return "above"
    return "below" if path == name[: len(path)] else None
