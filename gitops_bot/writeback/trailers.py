"""Lines at the end of a commit's message that programs read back: what a bump wrote, from what, and in which run. Pure.

    Gitops-Bot-Environment: staging
    Gitops-Bot-Bump: image ghcr.io/acme/churn-api old=sha-9d3e7f2 new=sha-4f2a9c1 digest=sha256:…
    Gitops-Bot-Source: acme/churn 4f2a9c1…
    Gitops-Bot-Run: 42 https://github.com/acme/churn/actions/runs/1
    Gitops-Bot-Metrics: churn-model auc=0.87 f1=0.61

Blanks and what is no plain character are percent-encoded, so that every line splits at its blanks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal
from urllib.parse import quote, unquote

import msgspec

from gitops_bot.model.image import same_repository
from gitops_bot.writeback.landing.commit_message import trailers_of

PREFIX = "Gitops-Bot-"
_PLAIN = "/:@._-+#[]~,!*()$&;?|"

Kind = Literal["image", "model", "value"]


class Bumped(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a bump wrote."""

    kind: Kind
    what: str
    """Image repository, model name, or ``FILE#PATH``."""
    old: str
    """Tag, model version or value before; ``""`` where there was none, and for a secret."""
    new: str
    digest: str = ""
    """Of the new image."""


class Trailers(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a commit's message tells programs; each is ``""`` or 0 where it is not said."""

    environment: str = ""
    bumps: tuple[Bumped, ...] = ()
    repository: str = ""
    """``owner/name`` of the code that was built."""
    commit: str = ""
    """Full id in it."""
    run: int = 0
    run_url: str = ""
    metrics: Mapping[str, Mapping[str, float]] = {}
    """Model → metric → value."""

    def of(self, kind: Kind, what: str) -> Bumped | None:
        """What it says of one thing, None for nothing."""
        return next((bump for bump in self.bumps if bump.kind == kind and _same(kind, bump.what, what)), None)


def _same(kind: Kind, one: str, other: str) -> bool:
    return same_repository(one, other) if kind == "image" else one == other


def write_trailers(trailers: Trailers) -> tuple[tuple[str, str], ...]:
    """The lines as (name, value), in their order."""
    lines: list[tuple[str, str]] = []
    if trailers.environment:
        lines.append(("Environment", _word(trailers.environment)))
    for bump in trailers.bumps:
        words = [bump.kind, _word(bump.what), f"old={_word(bump.old)}", f"new={_word(bump.new)}"]
        lines.append(("Bump", " ".join([*words, *([f"digest={_word(bump.digest)}"] if bump.digest else [])])))
    if trailers.commit or trailers.repository:
        lines.append(("Source", f"{_word(trailers.repository) or '-'} {_word(trailers.commit)}".rstrip()))
    if trailers.run or trailers.run_url:
        lines.append(("Run", f"{trailers.run} {_word(trailers.run_url)}".rstrip()))
    for model in sorted(trailers.metrics):
        values = [f"{_word(name)}={value:.12g}" for name, value in sorted(trailers.metrics[model].items())]
        lines.append(("Metrics", " ".join([_word(model), *values])))
    return tuple((PREFIX + name, value) for name, value in lines)


def read_trailers(message: str) -> Trailers:
    """What the trailers of a commit's message say, squashed or not; those that are not of this form say nothing."""
    found: dict[str, list[list[str]]] = {}
    for name, value in trailers_of(message):
        if name.startswith(PREFIX) and value.strip():
            found.setdefault(name.removeprefix(PREFIX), []).append(value.split())
    run = _one(found, "Run")
    source = _one(found, "Source")
    return Trailers(
        environment=unquote(_at(_one(found, "Environment"), 0)),
        bumps=tuple(bump for words in found.get("Bump", ()) if (bump := _bumped(words)) is not None),
        repository="" if _at(source, 0) == "-" else unquote(_at(source, 0)),
        commit=unquote(_at(source, 1)),
        run=int(run[0]) if run and re.fullmatch(r"[0-9]{1,15}", run[0]) else 0,
        run_url=unquote(_at(run, 1)),
        metrics={unquote(words[0]): _metrics(words[1:]) for words in found.get("Metrics", ())},
    )


def _word(text: str) -> str:
    return quote(text, safe=_PLAIN)


def _one(found: Mapping[str, list[list[str]]], name: str) -> list[str]:
    return found[name][-1] if name in found else []


def _at(words: list[str], index: int) -> str:
    return words[index] if index < len(words) else ""


def _bumped(words: list[str]) -> Bumped | None:
    if len(words) < 4 or words[0] not in ("image", "model", "value"):
        return None
    facts = dict(word.split("=", 1) for word in words[2:] if "=" in word)
    if "old" not in facts or "new" not in facts:
        return None
    return Bumped(
        kind=words[0],  # type: ignore[arg-type] # one of the three, see above
        what=unquote(words[1]),
        old=unquote(facts["old"]),
        new=unquote(facts["new"]),
        digest=unquote(facts.get("digest", "")),
    )


def _metrics(words: Iterable[str]) -> dict[str, float]:
    found = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            found[unquote(name)] = float(value)
        except ValueError:
            continue
    return found
