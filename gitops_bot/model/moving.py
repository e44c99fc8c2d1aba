"""References that can mean something else tomorrow: an alias, a stage, ``latest``. Pure."""

from __future__ import annotations

import re

_MLFLOW = re.compile(
    r"models:/{1,3}(?:[\w.@-]+@[\w.-]+/)?(?P<name>[\w. -]+?)(?:@(?P<alias>[\w.-]+)|/(?P<version>[\w.-]+))"
)
"""MLflow's URIs: ``models:/name/3``, ``models:/name/Production``, ``models:/name@champion``."""
_WANDB = re.compile(r"(?:wandb-artifact://|wandb:)[\w./-]+?/?(?P<name>[\w.-]+):(?P<version>[\w.-]+)")
"""Weights & Biases' artifacts: a version is ``v`` and a number, everything else an alias."""
_WORDS = frozenset(("latest", "head", "main", "master"))
_COMMIT = re.compile(r"(?:.*[^0-9a-z])?[0-9a-f]{7,40}")
"""A tag that ends in a commit's id; one id in a thousand has no digit."""


def moving_uris(text: str) -> set[str]:
    """The URIs of models in a text that can mean another model tomorrow."""
    found = set()
    for match in _MLFLOW.finditer(text):
        if match["alias"] or not match["version"].isdigit():
            found.add(match[0])
    for match in _WANDB.finditer(text):
        if not re.fullmatch(r"v\d+", match["version"]):
            found.add(match[0])
    return found


def is_moving(value: str, *, version: bool) -> bool:
    """Whether what settings say names a model can move.

    A version without any digit is an alias or a stage (``champion``, ``Production``); a path moves when it is such a
    URI or a whole part of it is ``latest``.
    """
    value = value.strip()
    if moving_uris(value):
        return True
    if version and "/" not in value and ":" not in value:
        return bool(value) and (not any(sign.isdigit() for sign in value) or value.lower() in _WORDS)
    return any(part.lower() in _WORDS for part in re.split(r"[/:@]", value))


def is_moving_tag(tag: str) -> bool:
    """Whether an image's tag names no build: ``latest``, ``stable``, ``main``; a version or a commit's id does."""
    return tag.lower() in _WORDS or (not any(sign.isdigit() for sign in tag) and not _COMMIT.fullmatch(tag))
