"""The plan hash: what a pull request promised, so that the agent can tell whether the merge still does the same."""

from __future__ import annotations

import hashlib
from typing import Any

from gitops_bot.manifests import yaml
from gitops_bot.manifests.documents import Document, decode, placed, split
from gitops_bot.manifests.hashed_names import mask_names
from gitops_bot.manifests.lists import token
from gitops_bot.manifests.normalise import normalise
from gitops_bot.manifests.objects import CLUSTER_SCOPED, Head, expand, head_of
from gitops_bot.manifests.redact import CHECKSUM, mask
from gitops_bot.manifests.secret_hints import may_hide

_VERSION = b"gitops-bot plan 2\n"
_MEMO_SIZE = 65_536
_memo: dict[bytes, tuple[tuple[Head, bytes], ...]] = {}
"""Digest of a document → its objects, each with the digest of its normalised content."""


def plan_hash(stream: bytes, *, namespace: str) -> str:
    """``sha256:…`` over the normalised objects of a rendering.

    What is masked (values of Secrets, what is named or looks like a secret, the hash in a generated Secret's name)
    counts as present, not by value; checksum annotations and hooks that never run do not count, nor do the order of
    documents, their notation and comments. ``namespace`` is where objects go that name none.
    Raises YamlError (a ValueError) for a stream that cannot be read.
    """
    stream = decode(stream)
    found = [(document, *pair) for document in split(stream) for pair in _digests(stream, document)]
    masked = mask_names(stream, b"", [(document, head) for document, head, _ in found], ())
    if masked is not None:
        found = [(document, *pair) for document in split(masked[0]) for pair in _digests(masked[0], document)]
    defined = (head.defines for _, head, _ in found)
    scope = CLUSTER_SCOPED | {(each[0], each[1]) for each in defined if each is not None and each[2]}
    plan = {str(tuple(head.key(namespace, scope))): digest for _, head, digest in found if head.applied}
    whole = hashlib.sha256(_VERSION)
    for key in sorted(plan):
        whole.update(key.encode("utf-8", "surrogatepass") + b"\0" + plan[key])
    return f"sha256:{whole.hexdigest()}"


def _digests(stream: bytes, document: Document) -> tuple[tuple[Head, bytes], ...]:
    """The heads and content digests of a document, worked out once in a process."""
    found = _memo.get(document.digest)
    if found is None:
        try:
            objects = expand(yaml.load_all(document.text))[0]
        except yaml.YamlError as error:
            raise placed(error, stream, document) from None
        if len(_memo) >= _MEMO_SIZE:
            _memo.clear()
        found = _memo[document.digest] = tuple((head_of(body), _digest(body, document.text)) for body in objects)
    return found


def _digest(body: dict[str, Any], text: bytes) -> bytes:
    """The digest of an object without its namespace, which may come from the target; ``text`` is what it was read from.

    What holds nothing secret and no annotations is not looked through for either.
    """
    body = normalise(body)
    if may_hide(text):
        body = mask(body)
    if b"annotations" in text or b"\\" in text:
        body = _without_checksums(body)
    metadata = {key: value for key, value in body["metadata"].items() if key != "namespace"}
    return hashlib.sha256(token({**body, "metadata": metadata})).digest()


def _without_checksums(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {}
        for key, item in value.items():
            if key == "annotations" and isinstance(item, dict):
                item = {name: text for name, text in item.items() if text != CHECKSUM}
                if not item:
                    continue
            kept[key] = _without_checksums(item)
        return kept
    return [_without_checksums(item) for item in value] if isinstance(value, list) else value
