"""``.gitops-bot.yaml``: every setting with its type, default and meaning. All of it is optional.

``docs/schemas/settings.schema.json`` is generated from these types; ``docs/reference/settings.md`` explains them.
In a pull request, whatever widens trust or silences something is read from the base revision.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gitops_bot.model.signal import CATALOGUE, Severity

Duration = Annotated[str, Meta(pattern=r"^([0-9]+(s|m|h|d))+$", examples=["180s", "1h30m"])]
"""Whole numbers with s, m, h or d: ``180s``, ``1h30m``."""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
Text = Annotated[str, Meta(min_length=1)]

BuildOption = Literal[
    "--enable-helm",
    "--enable-managedby-label",
    "--load-restrictor=LoadRestrictionsNone",
    "--load-restrictor=LoadRestrictionsRootOnly",
]
"""Options of ``kustomize build`` that may be set: none of them runs a program of the repository's."""


def seconds(duration: str) -> int:
    """A ``Duration`` in seconds: ``1h30m`` is 5400."""
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"([0-9]+)([smhd])", duration))


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of the settings; unknown keys are errors."""


class Environment(_Section, frozen=True, kw_only=True):
    """What an environment follows."""

    branch: Text | None = None
    """The branch whose tip is deployed; either this or ``tag``."""
    tag: Text | None = None
    """Glob of the tags of which the newest by semantic version (no pre-releases) is deployed."""
    applications: Text | None = None
    """Directory of the environment's Applications; None: every Application that follows the branch or tag."""
    cluster: Text | None = None
    """Name of the capability snapshot ``.gitops-bot/clusters/<name>.yaml``; None: ``render.kube_version`` holds."""
    protected: bool = False
    """Mutable references (``latest``, a model's alias) are refused."""


class ImageWrite(_Section, frozen=True, kw_only=True):
    """One place where an image is written."""

    file: Text
    """YAML file from the repository's root; ``{environment}`` stands for the environment's name."""
    path: Text
    """Where the tag goes in it: ``image.tag``."""
    digest: Text | None = None
    """Where the digest goes; None: it is not written."""


class ImageRule(_Section, frozen=True, kw_only=True):
    """An image that ``bump --image`` writes, and where."""

    repository: Text
    """Without tag: ``ghcr.io/acme/churn-api``."""
    order: Literal["semver", "newest", "exact"] = "newest"
    """When a tag is newer: by semantic version; by the ancestry of its source commit, else its run number, else the
    order of events; or never, and whatever is asked for is written."""
    write: tuple[ImageWrite, ...]


class ModelWrite(_Section, frozen=True, kw_only=True):
    """One file where a model is written; version, path and data go together, in one commit."""

    file: Text
    version: Text | None = None
    """Where the model's version goes: ``model.version``."""
    path: Text | None = None
    """Where its storage path (``s3://…``) goes."""
    data: Text | None = None
    """Where the version of its training data goes."""


class ModelRule(_Section, frozen=True, kw_only=True):
    """A model that ``bump --model`` writes, and what it must achieve."""

    name: Text
    write: tuple[ModelWrite, ...]
    thresholds: dict[str, Annotated[str, Meta(pattern=r"^(<|<=|==|>=|>) *-?[0-9]+(\.[0-9]+)?$")]] = {}
    """Metric → condition: ``auc: ">= 0.80"``."""


class Gates(_Section, frozen=True, kw_only=True):
    """What must hold before a promotion."""

    statuses: tuple[Text, ...] = ()
    """Commit statuses or checks that must have succeeded."""
    healthy: bool = False
    """The environment promoted from must be synced and healthy."""
    soak: Duration | None = None
    """How long it must have been so; None: not at all."""


class Promotion(_Section, frozen=True, kw_only=True):
    """How an environment gets what another one has."""

    source: Text = msgspec.field(name="from")
    """Name of the environment it is promoted from."""
    copy: tuple[Text, ...]
    """Paths in the values file that are copied; ``model.*`` is everything below ``model``."""
    gates: Gates = Gates()
    freeze: tuple[Text, ...] = ()
    """Times without promotions: ``Fri 16:00-Mon 08:00 Europe/Berlin``."""
    then: Literal["tag"] | None = None
    """What follows the merge; ``tag`` makes the next ``vX.Y.Z``."""
    level: Literal["major", "minor", "patch"] = "patch"
    """Which number of the tag is raised."""


class Commit(_Section, frozen=True, kw_only=True):
    """How write-back reaches Git."""

    mode: Literal["auto", "api", "push", "pull-request"] = "auto"
    message: Text = "chore: update image tag"


class Silence(_Section, frozen=True, kw_only=True):
    """A signal that is not shown for some apps, and why."""

    signal: Text
    """A signal's id: ``image-latest``; ``*`` is none, so that nobody silences everything."""
    apps: tuple[Text, ...] = ("*",)
    """Globs of names or ids."""
    reason: Text


class Review(_Section, frozen=True, kw_only=True):
    """The diff's comment and its check."""

    fail_on: tuple[Severity, ...] = ("error",)
    """Severities of signals that fail the check."""
    silence: tuple[Silence, ...] = ()
    templates: Text = ".gitops-bot/templates"
    """Directory of templates that replace ours, file by file."""


class Fetch(_Section, frozen=True, kw_only=True):
    """Where sources may come from, beyond this repository."""

    allow: tuple[Annotated[str, Meta(pattern=r"^(https?|oci|oci\+http|ssh)://")], ...] | None = None
    """URL prefixes; None: exactly what the base revision's Applications and charts already name. An empty list
    allows nothing."""


class Kustomize(_Section, frozen=True, kw_only=True):
    """Options of kustomize."""

    build_options: tuple[BuildOption, ...] = ()


class Render(_Section, frozen=True, kw_only=True):
    """How manifests are rendered."""

    timeout: Duration = "120s"
    """How long one render may take before it is stopped."""
    deadline: Duration = "10m"
    """How long all renders of a run may take together; what is left then fails."""
    kube_version: Annotated[str, Meta(pattern=r"^v?1\.[0-9]+(\.[0-9]+)?$")] | None = None
    """Kubernetes version where there is no capability snapshot; None: the renderer's own. Always printed."""
    kustomize: Kustomize = Kustomize()
    repositories: tuple[Text, ...] = ()
    """Other URLs that mean this repository."""
    empty_generators: tuple[Text, ...] = ()
    """Globs of the names of ApplicationSets whose generators may yield nothing; for others that is an error."""


class PruneGuard(_Section, frozen=True, kw_only=True):
    """A commit that would delete more than both of these is held."""

    percent: Annotated[int, Meta(ge=0, le=100)] = 50
    objects: Annotated[int, Meta(ge=0)] = 10


PEOPLE = ("kubectl*", "before-first-apply", "k9s*", "[Ll]ens*", "node-fetch", "headlamp*", "dashboard", "Mozilla")
"""``node-fetch`` is how Lens signs, ``Mozilla`` any page in a browser; ``before-first-apply`` may be anybody."""


class Agent(_Section, frozen=True, kw_only=True):
    """The agent in the cluster."""

    poll: Duration = "180s"
    """How often Git is asked for a new commit; some jitter is added."""
    prune_guard: PruneGuard = PruneGuard()
    people_managers: tuple[Text, ...] = PEOPLE
    """Globs of field managers that stand for people: what they add by hand is drift."""


DEFAULT_ENVIRONMENTS: Mapping[str, Environment] = {
    "development": Environment(branch="develop", applications="argocd/development"),
    "staging": Environment(branch="main", applications="argocd/staging"),
    "production": Environment(tag="v*.*.*", applications="argocd/production", protected=True),
}


class Settings(_Section, frozen=True, kw_only=True):
    """The whole file."""

    version: Literal[1] = 1
    """Of this format."""
    environments: dict[str, Environment] = msgspec.field(default_factory=lambda: dict(DEFAULT_ENVIRONMENTS))
    """Name → what it follows, in the order of promotion; naming some replaces all the defaults."""
    images: tuple[ImageRule, ...] = ()
    models: tuple[ModelRule, ...] = ()
    promotion: dict[str, Promotion] = {}
    """Environment → where its content comes from."""
    commit: Commit = Commit()
    review: Review = Review()
    fetch: Fetch = Fetch()
    render: Render = Render()
    agent: Agent = Agent()


class Cluster(_Section, frozen=True, kw_only=True):
    """A capability snapshot, ``.gitops-bot/clusters/<name>.yaml``: what a cluster can do, written by its agent."""

    kube_version: Annotated[str, Meta(pattern=r"^v?1\.[0-9]+(\.[0-9]+)?([-+].*)?$")]
    """``1.36`` or ``1.36.3``."""
    api_versions: tuple[Text, ...] = ()
    """``apps/v1`` and ``monitoring.coreos.com/v1/ServiceMonitor`` forms."""
    labels: dict[str, str] = {}
    """For cluster generators."""
    server: str | None = None
    """URL of its API server as Applications name it; None: they name the cluster."""


def contradictions(settings: Settings) -> list[tuple[str, str]]:
    """What types cannot say: (path, problem) for every place where the settings contradict themselves."""
    found = [
        (f"environments.{name}", "needs either branch or tag" + (", not both" if environment.branch else ""))
        for name, environment in settings.environments.items()
        if (environment.branch is None) == (environment.tag is None)
    ]
    known = ", ".join(settings.environments)
    for name, promotion in settings.promotion.items():
        if name not in settings.environments:
            found.append((f"promotion.{name}", f"is no environment (there are {known})"))
        if promotion.source not in settings.environments:
            found.append((f"promotion.{name}.from", f"{promotion.source} is no environment (there are {known})"))
        elif promotion.source == name:
            found.append((f"promotion.{name}.from", "an environment cannot be promoted from itself"))
    for index, model in enumerate(settings.models):
        for at, write in enumerate(model.write):
            if write.version is None and write.path is None and write.data is None:
                found.append((f"models[{index}].write[{at}]", "names none of version, path and data"))
    for index, silence in enumerate(settings.review.silence):
        if silence.signal not in CATALOGUE:
            near = get_close_matches(silence.signal, CATALOGUE, n=1)
            meant = f"; did you mean {near[0]}?" if near else f" (there are {', '.join(CATALOGUE)})"
            found.append((f"review.silence[{index}].signal", f"{silence.signal} is no signal{meant}"))
    return found + [(path, "leads out of the repository") for path, file in _paths(settings) if _escapes(file)]


def _paths(settings: Settings) -> list[tuple[str, str]]:
    """Every path of the repository that the settings name, with where they name it."""
    named = [
        (f"environments.{name}.applications", environment.applications)
        for name, environment in settings.environments.items()
        if environment.applications is not None
    ]
    for index, image in enumerate(settings.images):
        named += [(f"images[{index}].write[{at}].file", write.file) for at, write in enumerate(image.write)]
    for index, model in enumerate(settings.models):
        named += [(f"models[{index}].write[{at}].file", write.file) for at, write in enumerate(model.write)]
    return [*named, ("review.templates", settings.review.templates)]


def _escapes(path: str) -> bool:
    return path.startswith("/") or ".." in path.split("/")
