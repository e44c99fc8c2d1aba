"""What a promotion would take back to something older, by the same order as a bump's. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitops_bot.model.image import same_repository
from gitops_bot.model.settings import Settings
from gitops_bot.writeback.moves.code import Code, Origins
from gitops_bot.writeback.order import Order, Standing, Versions, by_version, stand, told_older
from gitops_bot.writeback.subjects import Subject


def downgrades(
    settings: Settings,
    found: Sequence[Subject],
    origins: Mapping[tuple[str, str], Origins],
    code: Sequence[Code],
    *,
    allowed: bool,
) -> tuple[str, ...]:
    """A sentence for each image and model whose new version is known to be older, each once.

    ``origins`` is what versions were built from, by file and what they are of; ``code`` the commits between. Where
    these do not tell which is newer, nothing is said. ``allowed``: they are written all the same, as the sentences say.
    """
    told = []
    for subject in found:
        if subject.kind == "value" or not subject.changed:
            continue
        names = [subject.versions(new=new) for new in (False, True)]
        if not all(names):
            continue
        versions = Versions(names[0][0], names[1][0])
        standing = _standing(settings, subject, versions, origins.get((subject.file, subject.what), Origins()), code)
        if standing.relation == "older":
            told.append(told_older(subject.what, versions, subject.file, standing, allowed=allowed))
    return tuple(dict.fromkeys(told))


def _standing(
    settings: Settings, subject: Subject, versions: Versions, origins: Origins, code: Sequence[Code]
) -> Standing:
    if subject.kind == "model":
        return by_version(versions)

    def ancestor(one: str, other: str) -> bool | None:
        for each in code:
            if subject.what in each.what and each.commits.total:
                old, new = (each.span.new, each.span.old) if each.back else (each.span.old, each.span.new)
                if _same(one, old) and _same(other, new):
                    return True
                if _same(one, new) and _same(other, old):
                    return False
        return None

    return stand(_order(settings, subject.what), versions, origins.old, origins.new, ancestor)


def _order(settings: Settings, image: str) -> Order:
    return next((rule.order for rule in settings.images if same_repository(rule.repository, image)), "newest")


def _same(one: str, other: str) -> bool:
    """Whether two ids, each maybe its beginning only, are of one commit."""
    return one.startswith(other) or other.startswith(one)
