"""Proposed settings as a commented ``.gitops-bot.yaml``. Pure.

Every text from the repository is written so that all readers take it for text, and in comments drawn on one line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gitops_bot.text.escape import visible
from gitops_bot.writeback.editor.scalar import write
from gitops_bot.writeback.survey.proposed import Proposed, ProposedEnvironment, ProposedImage, ProposedModel

_MOST_LISTED = 10
_WIDTH = 118

_HEADER = """\
# Settings of gitops-bot, written by `gitops-bot init` from what it found here; every part is optional.
# Read it through: what is called a guess is one. `gitops-bot doctor` checks it.
version: 1
"""
_DEFAULTS = """\
# Nothing here tells environments apart, so the defaults hold. Name your own, in the order of promotion:
# environments:
#   development: {branch: develop, applications: argocd/development}
#   staging: {branch: main, applications: argocd/staging}
#   production: {tag: "v*.*.*", applications: argocd/production, protected: true}
"""
_NO_IMAGES = """\
# Where `gitops-bot bump --image` writes a new tag; {environment} stands for the environment's name.
# images:
#   - repository: ghcr.io/acme/api
#     write:
#       - {file: "charts/api/values-{environment}.yaml", path: image.tag, digest: image.digest}
"""
_REVIEW = """\
# What fails the check of a pull request, and what is not shown. These are the defaults.
# review:
#   fail_on: [error]
#   silence:
#     - {signal: image-latest, apps: ["dev-*"], reason: "built every night"}

# How changes reach Git: auto (commit, or a pull request where the branch takes no commits), api, push, pull-request.
# commit:
#   mode: auto
"""


def to_yaml(proposed: Proposed) -> bytes:
    """The file's content; what ``render.settings.read_settings`` makes of it is ``proposed.settings``."""
    parts = [
        _HEADER,
        _environments(proposed.environments) if proposed.environments else _DEFAULTS,
        _images(proposed),
        _models(proposed.models),
        _promotion(proposed),
        _REVIEW,
        _render(proposed),
    ]
    return "\n".join(part for part in parts if part).encode()


def _environments(found: Sequence[ProposedEnvironment]) -> str:
    same = [sentence for sentence in found[0].why if len(found) > 1 and all(sentence in each.why for each in found)]
    lines = ["# What each environment follows, in the order of promotion.", "environments:"]
    lines += _comments([f"of each: {sentence}" for sentence in same], 2)
    for each in found:
        lines += _comments([sentence for sentence in each.why if sentence not in same], 2)
        follows = each.follows
        pairs: dict[str, str | bool | None] = {
            "branch": follows.branch,
            "tag": follows.tag,
            "applications": follows.applications,
            "cluster": follows.cluster,
        }
        given = _pairs(pairs) | ({"protected": "true"} if follows.protected else {})
        lines.append(f"  {_text(each.name)}: {_flow(given)}")
    return _lines(lines)


def _images(proposed: Proposed) -> str:
    if not proposed.images:
        return _NO_IMAGES + _others(proposed.other_images)
    lines = [
        "# Where `gitops-bot bump --image` writes a new tag; {environment} stands for the environment's name.",
        "# order: newest (by the commits that the images were built from), semver, or exact.",
        "images:",
    ]
    for each in proposed.images:
        lines += _image(each)
    return _lines(lines) + _others(proposed.other_images)


def _image(image: ProposedImage) -> Iterator[str]:
    yield from _comments(_few(image.why), 2)
    yield f"  - repository: {_text(image.rule.repository)}"
    if image.rule.order != "newest":
        yield f"    order: {image.rule.order}"
    yield "    write:"
    for each in image.rule.write:
        yield f"      - {_flow(_pairs({'file': each.file, 'path': each.path, 'digest': each.digest}))}"


def _others(images: Sequence[str]) -> str:
    if not images:
        return ""
    return _lines(
        ["# Other images, which seem to be somebody else's:", *(_comments([f"  {each}" for each in _few(images)], 0))]
    )


def _models(found: Sequence[ProposedModel]) -> str:
    if not found:
        return ""
    lines = [
        "# Where `gitops-bot bump --model` writes a new model: version, path and data together, or none of them.",
        "models:",
    ]
    for each in found:
        lines += _comments(_few(each.why), 2)
        lines += [f"  - name: {_text(each.rule.name)}", "    write:"]
        for place in each.rule.write:
            named = {"file": place.file, "version": place.version, "path": place.path, "data": place.data}
            lines.append(f"      - {_flow(_pairs(named))}")
        lines.append('    # thresholds: {auc: ">= 0.80"}')
    return _lines(lines)


def _promotion(proposed: Proposed) -> str:
    """A way of promotion to the last environment as a comment: what must hold before it, nobody can know."""
    if len(proposed.environments) < 2:
        return ""
    *_, source, target = proposed.environments
    then = "\n#     then: tag" if target.follows.tag else ""
    return (
        "# What must hold before a promotion. Without it, everything that the rules above write is copied, ungated.\n"
        f"# promotion:\n#   {_text(target.name)}:\n#     from: {_text(source.name)}\n"
        f"#     copy: [image.tag, image.digest, model.*]\n"
        f"#     gates: {{statuses: [ci], healthy: true, soak: 30m}}{then}\n"
    )


def _render(proposed: Proposed) -> str:
    if not proposed.repositories:
        return ""
    lines = ["render:", "  # Other addresses of this repository. A guess:"]
    lines += [comment for each in proposed.repositories for comment in _comments([each.why], 2)]
    lines += ["  repositories:", *(f"    - {_text(each.url)}" for each in proposed.repositories)]
    return _lines(lines)


# -- words ------------------------------------------------------------------------------------------------------------


def _pairs(values: Mapping[str, str | bool | None]) -> dict[str, str]:
    return {key: _text(value) for key, value in values.items() if isinstance(value, str)}


def _flow(pairs: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in pairs.items()) + "}"


def _text(text: str) -> str:
    """Text within braces, which every reader takes for text."""
    return write(text, "string", flow=True)


def _few(lines: Sequence[str]) -> list[str]:
    more = len(lines) - _MOST_LISTED
    return [*lines[:_MOST_LISTED], *([f"and {more} more"] if more > 0 else [])]


def _comments(sentences: Sequence[str], indent: int) -> list[str]:
    room = _WIDTH - indent
    shown = (visible(sentence) for sentence in sentences)
    return [f"{' ' * indent}# {each if len(each) <= room else each[: room - 1] + '…'}" for each in shown]


def _lines(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
