"""What ``bump`` is asked to write: images, models and single values, read from options. All problems at once. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from gitops_bot.errors import UsageError
from gitops_bot.model.image import canonical, is_repository, is_tag
from gitops_bot.writeback.editor.address import AddressError, parse
from gitops_bot.writeback.editor.scalar import Kind

_HINT = "docs/reference/bump.md explains what bump takes"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_WORD = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_LONGEST = 1024


class ImageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An image that was built."""

    repository: str
    """Without tag: ``ghcr.io/acme/churn-api``."""
    tag: str
    digest: str = ""
    """``sha256:…``; ``""`` when it is not known."""


class ValueRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One value, by its place."""

    file: str
    """From the repository's root."""
    path: str
    """Address in the file: ``image.tag``, ``images[name=api].newTag``."""
    value: str
    kind: Kind | None = None
    """What it is written as; None: as the number or boolean that is there, where the text is one too, else as text."""


class ModelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A model that was trained."""

    name: str
    """As ``models[].name`` of the settings has it."""
    version: str
    path: str = ""
    """Where it is stored (``s3://…``); ``""`` when not given."""
    data: str = ""
    """Version or digest of its training data; ``""`` when not given."""
    run_url: str = ""
    """Page of the training run."""
    page_url: str = ""
    """Page of the version in its registry."""
    metrics: Mapping[str, float] = {}
    previous: Mapping[str, float] = {}
    """The metrics of the model that is deployed now, where the source knows them."""

    @property
    def values(self) -> dict[str, str]:
        """What the rules may write: version, path, data."""
        return {"version": self.version, "path": self.path, "data": self.data}


Item = ImageRequest | ModelRequest | ValueRequest


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where a bump comes from."""

    repository: str = ""
    """``owner/name`` of the code; ``""`` when not known."""
    commit: str = ""
    """Full id of the commit that was built."""
    commit_url: str = ""
    run: int = 0
    """Id of the build (``GITHUB_RUN_ID``), which grows over all workflows of a repository; 0 when there is none."""
    run_url: str = ""
    """Page of the build."""
    actor: str = ""
    """Login of who caused it."""


class BumpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one bump writes: all of it in one commit, or nothing."""

    items: tuple[Item, ...]
    environment: str | None = None
    """None: rules and files say themselves where."""
    source: Source = Source()
    allow_downgrade: bool = False
    create: bool = False
    """Add keys that are not there."""


class ModelOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options that speak of a model; ``""`` for one that was not given."""

    name: str = ""
    version: str = ""
    path: str = ""
    data: str = ""
    run_url: str = ""
    metrics: bytes = b""
    """Content of the file of metrics."""


def parse_image(text: str, digest: str = "") -> ImageRequest:
    """``REPO:TAG[@DIGEST]``; ``digest`` is one that was given beside it. Raises UsageError."""
    found = _image(text.strip(), digest.strip())
    if isinstance(found, str):
        raise UsageError(found, hint=_HINT)
    return found


def request_from_options(
    *,
    images: Sequence[str] = (),
    digests: Sequence[str] = (),
    files: Sequence[str] = (),
    paths: Sequence[str] = (),
    values: Sequence[str] = (),
    model: ModelOptions | None = None,
) -> tuple[Item, ...]:
    """What the options of a command ask for, in their order: images, values, the model.

    ``digests`` belong to the images in their order; ``files``, ``paths`` and ``values`` belong together, and one file
    serves several paths. Raises UsageError with every problem.
    """
    problems: list[str] = []
    items: list[Item] = []
    if len(digests) > len(images):
        problems.append(f"{len(digests)} digests are given for {len(images)} images")
    for at, text in enumerate(images):
        found = _image(text.strip(), digests[at].strip() if at < len(digests) else "")
        items += [] if isinstance(found, str) else [found]
        problems += [found] if isinstance(found, str) else []
    if len(paths) != len(values) or len(files) not in ((0,) if not paths else (1, len(paths))):
        problems.append(
            f"--file, --path and --value belong together: {len(files)}, {len(paths)} and {len(values)} are given"
        )
    else:
        names = [files[0]] * len(paths) if len(files) == 1 else files
        items += [
            ValueRequest(file=file, path=path, value=value)
            for file, path, value in zip(names, paths, values, strict=True)
        ]
    if model is not None:
        found_model = _model(model, problems)
        items += [found_model] if found_model else []
    return checked(items, problems)


def checked(items: Iterable[Item], problems: Sequence[str] = ()) -> tuple[Item, ...]:
    """The items, when nothing is wrong with any of them. Raises UsageError with every problem."""
    given = tuple(items)
    found = [*problems, *(problem for item in given for problem in item_problems(item))]
    if not given and not found:
        found.append("there is nothing to write: name an image, a model, or a file with path and value")
    named = [(canonical(item.repository), item.repository) for item in given if isinstance(item, ImageRequest)]
    named += [(item.name, item.name) for item in given if isinstance(item, ModelRequest)]
    known = [name for name, _spelled in named]
    found += [f"{spelled} is asked for twice" for name, spelled in dict(named).items() if known.count(name) > 1]
    if found:
        raise UsageError("\n  ".join(dict.fromkeys(found)), hint=_HINT)
    return given


def item_problems(item: Item) -> list[str]:
    """What is wrong with an item, whatever it was read from; values are only named where they are no secrets."""
    if isinstance(item, ImageRequest):
        return _image_problems(item)
    if isinstance(item, ModelRequest):
        given = {"name": item.name, **item.values, "run URL": item.run_url, "page": item.page_url}
        found = [f"the model's {label} is missing" for label in ("name", "version") if not given[label]]
        for label, text in given.items():
            if text and (not _WORD.fullmatch(text) or len(text) > _LONGEST) and not (label == "name" and _spaced(text)):
                found.append(f"the model's {label} has blanks or characters that are not seen, or is too long")
            elif "${" in text:
                found.append(f"the model's {label} still has a placeholder in it: {text[:80]}")
        return found
    try:
        parse(item.path)
    except AddressError as error:
        return [error.message]
    outside = item.file.startswith("/") or ".." in item.file.split("/")
    if not item.file or outside:
        return [f"the file {item.file} leads out of the repository" if outside else "a value needs a file"]
    first = posixpath.normpath(item.file).split("/")[0]
    if first in (".git", ".github") or first.startswith(".gitops-bot"):
        return [f"{item.file} is no file of values: Git, workflows, settings and holds are edited by people"]
    return []


def source_problems(source: Source) -> list[str]:
    """What is wrong with where a bump says it comes from."""
    found = []
    if source.commit and not _COMMIT.fullmatch(source.commit):
        found.append("the source commit is no commit id")
    for label, text in (("commit's URL", source.commit_url), ("build's URL", source.run_url)):
        if text and not re.fullmatch(r"https?://[^\s<>\"'`]+", text):
            found.append(f"the {label} is no http(s) URL")
    return found


def _image(text: str, digest: str) -> ImageRequest | str:
    """The image, or what is wrong with its text."""
    name, at, own = text.partition("@")
    slash = name.rfind("/")
    colon = name.find(":", slash + 1)
    if at and digest and own != digest:
        return f"{text} names another digest than the one beside it"
    if colon < 0:
        return f"{text} has no tag: write REPOSITORY:TAG, with @sha256:… behind it where the digest is known"
    if at and not own:
        return f"{text} has an @ without a digest behind it"
    return ImageRequest(repository=name[:colon], tag=name[colon + 1 :], digest=own or digest)


def _image_problems(item: ImageRequest) -> list[str]:
    found = []
    if not is_repository(item.repository):
        lower = ": repositories are written in lower case" if is_repository(item.repository.lower()) else ""
        found.append(f"{item.repository[:200]!r} is no image repository{lower}")
    if not is_tag(item.tag):
        found.append(f"{item.tag[:200]!r} is no tag of an image")
    if item.digest and not _DIGEST.fullmatch(item.digest):
        found.append(f"{item.digest[:200]!r} is no digest: it is sha256: and 64 hexadecimal digits")
    return found


def _spaced(text: str) -> bool:
    """Whether a text has plain blanks only between its words, as names in a registry may."""
    return all(_WORD.fullmatch(word) for word in text.split(" "))


def _model(options: ModelOptions, problems: list[str]) -> ModelRequest | None:
    metrics: Mapping[str, float] = {}
    previous: Mapping[str, float] = {}
    if options.metrics:
        try:
            metrics, previous = read_metrics(options.metrics)
        except UsageError as error:
            problems.append(error.message)
    return ModelRequest(
        name=options.name, version=options.version, path=options.path, data=options.data, run_url=options.run_url,
        metrics=metrics, previous=previous,
    )  # fmt: skip


def read_metrics(data: bytes) -> tuple[dict[str, float], dict[str, float]]:
    """New and former metrics of a JSON file: ``{"auc": 0.87}`` or ``{"new": {…}, "old": {…}}``.

    Entries that are no numbers are left out, as reports of training runs have them. Raises UsageError for anything but
    an object with at least one number.
    """
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the metrics are not JSON: {error}", hint=_HINT) from None
    return metrics_of(document)


def metrics_of(document: Any) -> tuple[dict[str, float], dict[str, float]]:
    """As ``read_metrics``, of a document that was read."""
    if isinstance(document, dict) and isinstance(document.get("new"), dict):
        new, old = _numbers(document["new"]), _numbers(document.get("old"))
    else:
        new, old = _numbers(document), {}
    if not new:
        raise UsageError('the metrics hold no number: write an object such as {"auc": 0.87}', hint=_HINT)
    return new, old


def _numbers(document: Any) -> dict[str, float]:
    if not isinstance(document, dict):
        return {}
    found = {}
    for name in sorted(document):
        value = document[name]
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                continue
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf"):
            found[name] = float(value)
    return found
