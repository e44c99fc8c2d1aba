"""What a proposal is about, as a branch's name, a pull request's marker and a commit's trailer. Pure."""

from __future__ import annotations

import hashlib
import re

from gitops_bot.text.marker import Marker, read_marker, write_marker

PREFIX = "gitops-bot/"
"""Every branch of ours begins so."""
TRAILER = "Gitops-Bot-Topic"
"""Stands in every commit of ours."""
_LONGEST_BRANCH = 120
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
_LONGEST_KEY = 64
_CLOSED = "> **Closed by gitops-bot:** "
_LONGEST_BODY = 65_500
"""Characters of a pull request's text: GitHub takes 65,536."""


def branch_of(topic: str) -> str:
    """The branch for a topic: ``bump/staging/churn-api`` → ``gitops-bot/bump--staging--churn-api``.

    One level below the prefix, because Git cannot have both a branch ``a`` and a branch ``a/b``. A topic that would not
    come back from its name whole, or is no name, ends in eight digits of its hash.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", topic.replace("/", "--")).strip(".-") or "change"
    plain = _PLAIN.fullmatch(topic) and "--" not in topic and ".." not in topic and "-/" not in topic
    if plain and not name.endswith(".lock") and len(name) <= _LONGEST_BRANCH:
        return f"{PREFIX}{name}"
    short = re.sub(r"\.{2,}", ".", name)[:_LONGEST_BRANCH].rstrip(".-")
    return f"{PREFIX}{short}-{_hash(topic)[:8]}"


def key_of(topic: str) -> str:
    """The topic as a marker's key: itself where it is short and plain, else the end of it that tells it apart."""
    if _PLAIN.fullmatch(topic) and len(topic) <= _LONGEST_KEY:
        return topic
    return f"topic-{_hash(topic)[:40]}"


def marked(topic: str, title: str, body: str) -> str:
    """A pull request's body with its marker as the first line; by its digest a rerun sees that nothing is new."""
    return f"{write_marker(key_of(topic), _hash(f'{title}{chr(0)}{body}'))}\n{body}"


def closed_text(body: str, why: str) -> str:
    """The body of a pull request that we close: why (Markdown) above what it said, and a marker of no proposal."""
    marker = read_marker(body)
    rest = body.partition("\n")[2] if marker is not None else body
    first = f"{write_marker(marker.key, _hash(f'closed{chr(0)}{why}'))}\n" if marker is not None else ""
    note = f"{first}{_CLOSED}{why}\n\n"
    return note + rest if len(note) + len(rest) <= _LONGEST_BODY else note


def closed_by_us(body: str) -> bool:
    """Whether the body of a pull request says that we closed it."""
    return body.partition("\n")[2].startswith(_CLOSED)


def marker_of(body: str) -> Marker | None:
    """The marker of a pull request's body, None when it is none of ours."""
    return read_marker(body)


def below(topic: str, marker: Marker | None) -> bool:
    """Whether a marker is of a topic below this one: ``bump/staging/api/1.2.3`` below ``bump/staging/api``."""
    return marker is not None and marker.key.startswith(f"{key_of(topic)}/")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
