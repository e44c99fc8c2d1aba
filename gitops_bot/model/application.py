"""Argo CD's ``Application``: the fields that decide what is rendered and compared.

Field names and meaning are Argo CD's (``argoproj.io/v1alpha1``); unknown fields are kept out, not refused, because
newer Argo CD versions add some. Read with ``typed.convert(document, Application)`` after our own YAML reading.
"""

from __future__ import annotations

from typing import Any

import msgspec


class _Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A frozen value whose field names are camelCase in YAML and JSON."""


class HelmParameter(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One ``--set`` (or ``--set-string`` with ``forceString``)."""

    name: str
    value: str = ""
    force_string: bool = False


class HelmFileParameter(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One ``--set-file``: the value is the content of the file at ``path``."""

    name: str
    path: str


class HelmOptions(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """``source.helm``."""

    release_name: str | None = None
    """None: the Application's name."""
    value_files: tuple[str, ...] = ()
    """Relative to the chart, from the repository's root with a leading ``/``, or ``$ref/path``; globs allowed."""
    ignore_missing_value_files: bool = False
    values: str | None = None
    """YAML text, applied after every value file."""
    values_object: Any = None
    """A mapping; replaces ``values`` where both are given."""
    parameters: tuple[HelmParameter, ...] = ()
    file_parameters: tuple[HelmFileParameter, ...] = ()
    skip_crds: bool = False
    skip_schema_validation: bool = False
    skip_tests: bool = False
    pass_credentials: bool = False
    namespace: str | None = None
    kube_version: str | None = None
    api_versions: tuple[str, ...] = ()
    version: str | None = None


class KustomizeReplica(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One ``replicas`` entry; ``count`` may be a string in Argo CD (an int-or-string)."""

    name: str
    count: int | str = 0


class KustomizePatch(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One entry of ``patches``."""

    path: str | None = None
    patch: str | None = None
    target: dict[str, Any] | None = None
    options: dict[str, bool] | None = None


class KustomizeOptions(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """``source.kustomize``."""

    name_prefix: str | None = None
    name_suffix: str | None = None
    images: tuple[str, ...] = ()
    """As ``kustomize edit set image`` takes them: ``name=new:tag``, ``name:tag``, ``name@digest``."""
    common_labels: dict[str, str] = {}
    common_annotations: dict[str, str] = {}
    common_annotations_envsubst: bool = False
    force_common_labels: bool = False
    force_common_annotations: bool = False
    label_without_selector: bool = False
    label_include_templates: bool = False
    namespace: str | None = None
    replicas: tuple[KustomizeReplica, ...] = ()
    patches: tuple[KustomizePatch, ...] = ()
    components: tuple[str, ...] = ()
    ignore_missing_components: bool = False
    version: str | None = None
    kube_version: str | None = None
    api_versions: tuple[str, ...] = ()


class DirectoryOptions(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """``source.directory``."""

    recurse: bool = False
    include: str | None = None
    """A glob, or several as ``{a,b}``, on the path relative to the source; None takes every manifest."""
    exclude: str | None = None
    jsonnet: dict[str, Any] | None = None


class FoundDirectory(DirectoryOptions, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Options of a directory that no Application names: configurations of tools that lie in it are not deployed."""


class Source(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One source of an Application."""

    repo_url: str = msgspec.field(name="repoURL", default="")
    path: str | None = None
    """Directory in the Git repository; None for a chart of a Helm repository and for sources that are only a ref."""
    chart: str | None = None
    """Name of the chart in the Helm repository ``repo_url``."""
    target_revision: str = "HEAD"
    """Branch, tag, commit or semver range; for a chart its version or range."""
    ref: str | None = None
    """Name under which other sources' value files reach into this one as ``$ref/…``."""
    name: str | None = None
    helm: HelmOptions | None = None
    kustomize: KustomizeOptions | None = None
    directory: DirectoryOptions | None = None
    plugin: Any = None
    """Anything here means a config management plugin: named, never run."""


class Destination(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Where an Application's objects go."""

    server: str | None = None
    name: str | None = None
    namespace: str = ""


class IgnoreDifference(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One entry of ``ignoreDifferences``; group and kind accept globs, name and namespace are exact."""

    group: str = ""
    kind: str
    name: str | None = None
    namespace: str | None = None
    json_pointers: tuple[str, ...] = ()
    jq_path_expressions: tuple[str, ...] = ()
    managed_fields_managers: tuple[str, ...] = ()


class Metadata(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The part of ``metadata`` that matters here."""

    name: str = ""
    namespace: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    finalizers: tuple[str, ...] | None = None


class ApplicationSpec(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """``spec`` of an Application."""

    project: str = "default"
    source: Source | None = None
    sources: tuple[Source, ...] = ()
    """Used instead of ``source`` when not empty (Argo CD's rule)."""
    destination: Destination = Destination()
    ignore_differences: tuple[IgnoreDifference, ...] = ()
    sync_policy: Any = None
    """As written: what only decides how it is applied is read by who applies it (``agent/policy``)."""
    revision_history_limit: int | None = None
    """Entries of the history that are kept; None: 10."""


class Application(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One Application."""

    metadata: Metadata
    spec: ApplicationSpec

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources that count: ``sources`` if any, else the single ``source``."""
        if self.spec.sources:
            return self.spec.sources
        return (self.spec.source,) if self.spec.source else ()
