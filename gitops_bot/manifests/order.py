"""The order in which Argo CD applies objects, and a rendering fit to be printed."""

from __future__ import annotations

from gitops_bot.manifests import yaml
from gitops_bot.manifests.documents import Document, decode, holds_secret, split
from gitops_bot.manifests.hashed_names import mask_pair_of_names
from gitops_bot.manifests.hidden import veil_any
from gitops_bot.manifests.objects import Head, expand, heads
from gitops_bot.manifests.redact import mask, mask_value
from gitops_bot.manifests.secret_text import looks_secret, may_be_secret
from gitops_bot.model.kinds import rank


def sort_key(head: Head) -> tuple[int, str, str, str, str]:
    """What sorts objects into Argo CD's kind order, then by kind, group, namespace and name."""
    return rank(head.kind), head.kind, head.group, head.namespace, head.name


def mask_stream(stream: bytes) -> bytes:
    """A rendered stream, documents as they are, but everything secret masked.

    A document that holds a secret or a checksum is written anew as YAML, one document for each of its objects, and so
    is one that cannot be told from it. Raises YamlError for such a document when it cannot be read.
    """
    stream = mask_pair_of_names(stream, b"")[0]
    out: list[bytes] = []
    for document in split(stream):
        masked = _masked(document.text)
        marker = b"" if document.text.startswith((b"--- ", b"---\t")) else b"---\n"
        out += [marker + document.text] if masked is None else masked
    return b"".join(out)


def _masked(text: bytes) -> list[bytes] | None:
    """A document that holds something secret as documents that do not; None for one that holds nothing."""
    secret = holds_secret(text)
    if not secret and not may_be_secret(text.decode("utf-8", "replace")):
        return None
    values = yaml.load_all(text)
    objects, strange = expand(values)
    if strange and not secret:
        shown = [mask_value(value) for value in values]
        return None if shown == values else [b"---\n" + yaml.dump(value).encode() for value in shown]
    bodies = [mask(body) for body in objects]
    if not secret and bodies == objects:
        return None
    found = [f"---\n# a document that {strange}, left out because it may hold a Secret\n".encode()] if strange else []
    return found + [b"---\n" + yaml.dump(body).encode() for body in bodies]


def hides(stream: bytes) -> bool:
    """Whether a rendered stream holds anything that would be masked; True also for what cannot be read.

    Meant for deciding what may be stored. Schemas (CustomResourceDefinition) are only searched for what looks secret.
    """
    try:
        return holds_secret(stream) or any(_hides(document) for document in split(decode(stream)))
    except yaml.YamlError:
        return True


def _hides(document: Document) -> bool:
    text = document.text.decode("utf-8", "replace")
    if not may_be_secret(text):
        return False
    found = heads(document).heads
    if found and all(head.kind == "CustomResourceDefinition" for head in found):
        return looks_secret(text)
    return any(veil_any(value) is not value for value in yaml.load_all(document.text))
