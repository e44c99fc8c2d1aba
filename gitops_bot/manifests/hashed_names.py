"""The hash that kustomize puts into the name of a generated Secret: a mask, in the name and wherever it is named.

The hash is made from the Secret's values, so it would tell anybody who guesses them that the guess is right. A
ConfigMap's is masked only where its data hold something secret.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gitops_bot.manifests import yaml
from gitops_bot.manifests.documents import Document, decode, split
from gitops_bot.manifests.hidden import veil
from gitops_bot.manifests.objects import Head, expand, heads

SUFFIX = re.compile(r"(.+)-(?:[2456789bcdfghkmt]{10}|<(?:new-)?hash(?:-[0-9]+)?>)")
"""A name with the suffix of kustomize's generators (its alphabet has neither vowels nor 0, 1, 3), or its mask.

The masks have no mark that YAML could take for its own, in whatever style the name is written.
"""
_ANY = re.compile(rb"-[2456789bcdfghkmt]{10}(?![A-Za-z0-9])")
_KINDS = frozenset(("Secret", "ConfigMap"))
_MEMO_SIZE = 16_384
_memo: dict[bytes, bool] = {}
"""Digest of a document → whether something in it is secret."""

Found = Sequence[tuple[Document, Head]]
"""Documents, each with the head of one of its objects."""
_Group = tuple[str, str, str]
"""Kind, namespace and name without hash: what one generator makes."""


def mask_names(before: bytes, after: bytes, old: Found, new: Found) -> tuple[bytes, bytes] | None:
    """Both streams with masks for such hashes; None where neither has one.

    ``old`` and ``new`` are the objects of the streams. On the head's side the mask says whether the hash is another
    than the base's of the same name.
    """
    stems = {
        (head.kind, _stem(head.name)) for side in (old, new) for document, head in side if _is_secret(document, head)
    }
    if not stems:
        return None
    hashed = [[head for _, head in side if (head.kind, _stem(head.name)) in stems] for side in (old, new)]
    masks = _masks(*hashed, apart=True)
    if any(_collide(side, names) for side, names in zip((old, new), masks, strict=True)):
        masks = _masks(*hashed, apart=False)
    # A name that only the other side's generators make may still be named here.
    return _replaced(before, masks[1] | masks[0]), _replaced(after, masks[0] | masks[1])


def mask_pair_of_names(before: bytes, after: bytes) -> tuple[bytes, bytes]:
    """Both streams with masks for such hashes. Raises YamlError for a document whose identity cannot be read."""
    streams = decode(before), decode(after)
    return mask_names(*streams, *map(_objects, streams)) or streams


def _objects(stream: bytes) -> Found:
    if not _ANY.search(stream):
        return ()
    return [(document, head) for document in split(stream) for head in heads(document).heads]


def _stem(name: str) -> str:
    """A hashed name without its hash; ``""`` for any other, and for one that is masked already."""
    match = None if name.endswith(">") else SUFFIX.fullmatch(name)
    return match[1] if match else ""


def _is_secret(document: Document, head: Head) -> bool:
    """Whether a name has a hash that is made from something secret."""
    if head.kind not in _KINDS or not _stem(head.name):
        return False
    return head.kind == "Secret" or _holds(document)


def _holds(document: Document) -> bool:
    found = _memo.get(document.digest)
    if found is None:
        try:
            found = any(veil(body) is not body for body in expand(yaml.load_all(document.text))[0])
        except yaml.YamlError:
            found = True
        if len(_memo) >= _MEMO_SIZE:
            _memo.clear()
        _memo[document.digest] = found
    return found


def _masks(old: Sequence[Head], new: Sequence[Head], *, apart: bool) -> tuple[dict[str, str], dict[str, str]]:
    """Name → masked name for each side.

    Generators are told apart by kind and namespace, so that no two objects are linked by their masks; without
    ``apart`` only by name, which is needed where objects could not be told from each other otherwise.
    """
    anywhere = {_stem(head.name) for head in (*old, *new) if not head.namespace}
    groups: dict[_Group, tuple[set[str], set[str]]] = {}
    for index, side in enumerate((old, new)):
        for head in side:
            stem = _stem(head.name)
            group = (head.kind, "" if stem in anywhere else head.namespace, stem) if apart else ("", "", stem)
            groups.setdefault(group, (set(), set()))[index].add(head.name)
    masks: tuple[dict[str, str], dict[str, str]] = {}, {}
    for (_, _, stem), (left, right) in sorted(groups.items()):
        several = len(left) > 1 or len(right) > 1
        for index, name in enumerate(sorted(left | right)):
            number = f"-{index + 1}" if several and index else ""
            changed = bool(left) and name not in left
            if name in left:
                masks[0].setdefault(name, f"{stem}-<hash{number}>")
            if name in right and (changed or name not in masks[1]):
                masks[1][name] = f"{stem}-<{'new-' if changed else ''}hash{number}>"
    return masks


def _collide(side: Found, masks: dict[str, str]) -> bool:
    """Whether two objects of one side would have one name; a namespace that is not named may be any."""
    heads_of_side = [head for _, head in side if head.name in masks]
    real = {(head.kind, head.name) for head in heads_of_side}
    return len({(kind, masks[name]) for kind, name in real}) < len(real)


def _replaced(stream: bytes, masks: dict[str, str]) -> bytes:
    """The stream with each whole name masked."""
    names = {name.encode(): mask.encode() for name, mask in masks.items()}
    longest = sorted(names, key=lambda name: (-len(name), name))
    pattern = re.compile(rb"(?<![A-Za-z0-9.-])(?:%s)(?![A-Za-z0-9-])" % b"|".join(map(re.escape, longest)))
    return pattern.sub(lambda match: names[match[0]], stream)
