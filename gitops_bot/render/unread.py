"""Why what was rendered cannot be read: found only when it is asked for, since rendering reads no manifest."""

from __future__ import annotations

from gitops_bot.errors import RenderError
from gitops_bot.manifests.documents import Document, decode, placed, split
from gitops_bot.manifests.hashed_names import SUFFIX
from gitops_bot.manifests.objects import heads
from gitops_bot.manifests.yaml import YamlError, load_all
from gitops_bot.render.engines.run import broken_file
from gitops_bot.render.workshop import Preparation


def broken_source(preparation: Preparation) -> RenderError | None:
    """The first file of a target's plain directories that cannot be read, with its line; None when all can."""
    return next((error for source in preparation.sources if (error := broken_file(source)) is not None), None)


def unread(preparation: Preparation, manifests: bytes) -> RenderError | None:
    """What of a rendering cannot be read, None when all can; for after a failure, since everything is read.

    Either a file of a plain directory, with its line there, or a document of what Helm or Kustomize wrote, with the
    line of that.
    """
    return broken_source(preparation) or _broken_document(manifests)


def untold(error: YamlError) -> RenderError:
    """What is wrong with a rendering where ``unread`` finds nothing: only the line of the stream is known."""
    return RenderError(f"what it renders to cannot be read: {error}")


def _broken_document(manifests: bytes) -> RenderError | None:
    try:
        manifests = decode(manifests)
    except YamlError as error:
        return untold(error)
    for document in split(manifests):
        try:
            load_all(document.text)
        except YamlError as error:
            where = placed(error, manifests, document)
            return RenderError(f"what it renders to cannot be read: {_named(document)}{where}")
    return None


def _named(document: Document) -> str:
    """The object of a document that cannot be read, where its first lines tell; a hash made of secrets is not shown."""
    try:
        head = heads(document).heads[0]
    except (YamlError, IndexError):
        return ""
    return f"{head.kind}, " if SUFFIX.fullmatch(head.name) else f"{head.kind} {head.name}, "
