"""A kustomize source: everything its kustomization reaches, and the options of ``kustomize build``."""

from __future__ import annotations

import copy
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gitops_bot.errors import NotRenderable, RenderError
from gitops_bot.manifests.yaml import YamlError, dump, load, load_all
from gitops_bot.model.application import KustomizeOptions, Source
from gitops_bot.render.engines import kustomization, remote
from gitops_bot.render.engines.context import Context
from gitops_bot.render.engines.inputs import Inputs, Mount, follow, join
from gitops_bot.render.engines.kustomization import Reference
from gitops_bot.render.engines.source import KUSTOMIZATION_NAMES
from gitops_bot.render.prepared import Fetcher, Prepared

_FLAGS = ("--enable-helm",)
_WITH_VALUE = {
    "--load-restrictor": ("LoadRestrictionsNone", "LoadRestrictionsRootOnly", "none", "rootOnly"),
    "--helm-kube-version": None,
    "--helm-api-versions": None,
}
_PARSED_KEPT = 20_000
_PARSED: dict[str, Any] = {}
"""Object id → what a kustomization file says; never changed in place. Bases are shared by many overlays."""


def prepare(source: Source, mount: Mount, directory: str, environment: Mapping[str, str], context: Context) -> Prepared:
    """The files and arguments of ``kustomize build`` for the kustomization in ``directory``.

    An Application's options are written into a copy of the kustomization; without any, every file stays as it is.
    Raises NotRenderable for plugins and functions, RenderError for what is missing or must not be read.
    """
    options = source.kustomize or KustomizeOptions()
    arguments = build_arguments(context.build_options, options, context)
    walk = _Walk(Inputs(), context.fetcher, helm="--enable-helm" in arguments)
    walk.root(mount, directory, options=options, environment=environment)
    return Prepared(
        renderer="kustomize",
        files=walk.inputs.files(),
        directory=mount.at(directory),
        arguments=(".", *arguments),
        needs_helm=walk.inflates,
    )


def build_arguments(given: Sequence[str], options: KustomizeOptions, context: Context) -> tuple[str, ...]:
    """The options of ``kustomize build``, checked; with ``--enable-helm`` the cluster's capabilities are added.

    Raises RenderError for an option that is not on the list, above all those that run programs.
    """
    found: list[str] = []
    words = iter([word for option in given for word in option.split()])
    for word in words:
        name, equals, value = word.partition("=")
        if name in _FLAGS and (not equals or value == "true"):
            found.append(name)
        elif name in _WITH_VALUE:
            value = value if equals else next(words, "")
            allowed = _WITH_VALUE[name]
            if allowed is not None and value not in allowed:
                raise RenderError(f"{name} does not take {value!r}", hint=f"it takes {allowed[0]} or {allowed[1]}")
            found.append(f"{name}={value}")
        else:
            raise RenderError(
                f"the kustomize build option {name} is not allowed",
                hint=f"allowed are {', '.join((*_FLAGS, *_WITH_VALUE))} (render.kustomize.build_options)",
            )
    if "--enable-helm" in found:
        version = options.kube_version or context.capabilities.kube_version
        if version and not any(option.startswith("--helm-kube-version") for option in found):
            found.append(f"--helm-kube-version={version}")
        versions = options.api_versions or context.capabilities.api_versions
        found += [f"--helm-api-versions={version}" for version in versions]
    return tuple(dict.fromkeys(found))


class _Root(NamedTuple):
    """A kustomization's directory."""

    mount: Mount
    directory: str
    """Real path in the mount's tree."""
    file: str
    """Path of the kustomization file, for messages."""

    def __str__(self) -> str:
        return self.file


class _Walk:
    """Follows a kustomization to everything it reaches, and gathers it."""

    def __init__(self, inputs: Inputs, fetcher: Fetcher, *, helm: bool) -> None:
        self.inputs = inputs
        self.inflates = False
        """Whether a Helm chart was met."""
        self._fetcher = fetcher
        self._helm = helm
        self._seen: set[tuple[str, str]] = set()
        self._mounts: dict[tuple[str, str], Mount] = {}
        self._files = 0

    # -- directories ----------------------------------------------------------------------------------------------

    def root(
        self, mount: Mount, directory: str, *, options: KustomizeOptions | None = None,
        environment: Mapping[str, str] | None = None, named_by: str = "", plugin: bool = False,
    ) -> None:  # fmt: skip
        """Gather a kustomization's directory; ``plugin`` when its resources configure plugins."""
        if (mount.prefix, directory) in self._seen:
            return
        self._seen.add((mount.prefix, directory))
        document: Any = None
        here = None
        for name in KUSTOMIZATION_NAMES:
            path = posixpath.join(directory, name)
            real = self.inputs.file(mount, path)
            if real is not None and here is None:
                here = _Root(mount, directory, path)
                document = _parsed(mount, real)
        if here is None:
            by = f", which {named_by} names," if named_by else ""
            raise RenderError(
                f"{directory or 'the root'}{by} has no kustomization file",
                hint="add a kustomization.yaml, or correct the reference",
            )
        if document is None and not options:
            return
        if not isinstance(document, dict) and document is not None:
            raise RenderError(f"{here} does not hold a mapping")
        document = document or {}
        changed = document
        if options is not None:
            changed = kustomization.apply(
                document,
                options,
                environment or {},
                lambda path: remote.parse(path) is not None or self._is_directory(mount, join(directory, path)),
            )
        written = self._references(
            here, changed, changed=changed is not document and changed != document, plugin=plugin
        )
        if written is not None:
            self.inputs.own(mount.at(here.file), dump(written).encode())

    def _references(
        self, here: _Root, document: dict[str, Any], *, changed: bool, plugin: bool
    ) -> dict[str, Any] | None:
        """Gather what a kustomization refers to; returns it rewritten when it has to be, else None."""
        found = list(kustomization.references(document))
        charts = list(_charts(document))
        if any(self._remote(here, reference) for reference in found) or any(_afar(chart) for chart in charts):
            document, changed = copy.deepcopy(document), True
            found = list(kustomization.references(document))
            charts = list(_charts(document))
        for reference in found:
            self._reference(here, reference, plugin=plugin)
        for chart in charts:
            self._chart(here, chart)
        return document if changed else None

    def _remote(self, here: _Root, reference: Reference) -> bool:
        value = reference.value
        if reference.kind == "source":
            value = kustomization.split_source(value)[1]
        if "\n" in value or remote.parse(value) is None:
            return False
        return follow(here.mount, join(here.directory, value))[0] is None if ".." not in value else True

    def _is_directory(self, mount: Mount, path: str) -> bool:
        real, _ = follow(mount, path)
        entry = mount.tree.entry(real) if real is not None else None
        return entry is not None and entry.is_directory

    # -- references -----------------------------------------------------------------------------------------------

    def _reference(self, here: _Root, reference: Reference, *, plugin: bool) -> None:
        value, key = reference.value, ""
        if reference.kind == "source":
            key, value = kustomization.split_source(value)
        if reference.kind in ("patch", "plugin") and ("\n" in value or not self._found(here, value)):
            if reference.kind == "plugin":
                self._plugin(here, value.encode(), f"a generator or transformer in {here}")
            return
        if value.startswith("/"):
            raise RenderError(f"{here} names the absolute path {value}", hint="write it relative")
        if self._local(here, reference, value, plugin=plugin):
            return
        elsewhere = remote.parse(value)
        if elsewhere is None:
            raise RenderError(f"{here} names {value}, which is not there", hint="add it, or correct the reference")
        new = self._bring(here, reference, elsewhere, plugin=plugin)
        reference.holder[reference.key] = f"{key}={new}" if reference.kind == "source" else new

    def _found(self, here: _Root, value: str) -> bool:
        return value.startswith("/") or remote.parse(value) is not None or self._exists(here, value)

    def _exists(self, here: _Root, value: str) -> bool:
        return follow(here.mount, join(here.directory, value))[0] is not None

    def _local(self, here: _Root, reference: Reference, value: str, *, plugin: bool) -> bool:
        """Gather a reference into the same tree; False when nothing is there."""
        path = join(here.directory, value)
        real = self.inputs.file(here.mount, path)
        if real is not None:
            if reference.kind == "plugin" or plugin:
                self._plugin(here, _content(here.mount, real), real)
            return True
        real, links = follow(here.mount, path)
        if real is None:
            return False
        if reference.kind not in ("resource", "component", "plugin"):
            raise RenderError(f"{here} names {value}, which is a directory", hint="name a file in it")
        self.inputs.links(here.mount, links)
        self.root(here.mount, real, named_by=str(here), plugin=plugin or reference.kind == "plugin")
        return True

    def _bring(self, here: _Root, reference: Reference, elsewhere: remote.Remote, *, plugin: bool) -> str:
        """Fetch what is elsewhere; returns the reference that means it in the scratch directory."""
        if elsewhere.is_file or reference.kind in ("file", "source", "patch"):
            self._files += 1
            name = f".gitops-bot-remote-{self._files}.yaml"
            content = self._fetcher.file(elsewhere.url if elsewhere.is_file else reference.value)
            self.inputs.own(here.mount.at(posixpath.join(here.directory, name)), content)
            if reference.kind == "plugin" or plugin:
                self._plugin(here, content, elsewhere.label)
            return name
        identity = (elsewhere.url, elsewhere.revision)
        if identity not in self._mounts:
            tree = self._fetcher.git(elsewhere.url, elsewhere.revision or "HEAD")
            self._mounts[identity] = Mount(f"remote/{len(self._mounts)}", tree, elsewhere.label)
        mount = self._mounts[identity]
        real, links = follow(mount, elsewhere.path)
        if real is None:
            raise RenderError(f"{here} names {elsewhere.path}, which is not in {elsewhere.label}",
                              hint="correct its path or its ref")  # fmt: skip
        self.inputs.links(mount, links)
        self.root(mount, real, named_by=str(here), plugin=plugin or reference.kind == "plugin")
        return posixpath.relpath(mount.at(real), here.mount.at(here.directory))

    # -- plugins and charts ---------------------------------------------------------------------------------------

    def _plugin(self, here: _Root, content: bytes, name: str) -> None:
        """Gather what builtin generators and transformers read; all others are refused by name."""
        try:
            documents = load_all(content, strict=False)
        except YamlError as error:
            raise RenderError(f"{name}: {error}") from error
        for document in documents:
            if isinstance(document, dict):
                self._configuration(here, document, name)

    def _configuration(self, here: _Root, document: dict[str, Any], name: str) -> None:
        kind, metadata = str(document.get("kind") or "unnamed"), document.get("metadata")
        annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
        if any(key in (annotations or {}) for key in ("config.kubernetes.io/function", "config.k8s.io/function")):
            raise NotRenderable(f"{name} runs the KRM function {kind}, and functions are never run")
        if document.get("apiVersion") != "builtin":
            raise NotRenderable(f"{name} runs the kustomize plugin {kind}, and plugins are never run")
        for reference in kustomization.references(document):
            value = reference.value
            if reference.kind == "source":
                value = kustomization.split_source(value)[1]
            if reference.kind == "patch" and ("\n" in value or not self._exists(here, value)):
                continue
            if value.startswith("/") or not self._local(here, reference, value, plugin=False):
                raise RenderError(f"{name} names {value}, which is not there", hint="correct the reference")
        if kind == "HelmChartInflationGenerator":
            self._chart(here, _Chart(document, str(document.get("chartHome") or "charts")))

    def _chart(self, here: _Root, chart: _Chart) -> None:
        """Gather a chart that a kustomization inflates, from its chart home or from afar, and its value files."""
        if not self._helm:
            raise RenderError(
                f"{here} inflates the Helm chart {chart.name}, which kustomize does only with --enable-helm",
                hint="set render.kustomize.build_options: [--enable-helm] in .gitops-bot.yaml",
            )
        self.inflates = True
        mount = here.mount
        home = join(here.directory, chart.directory(here))
        real, links = follow(mount, home)
        if real is not None:
            self.inputs.links(mount, links)
            self.inputs.directory(mount, real, place=mount.at(real))
        elif chart.repository:
            tree = self._fetcher.chart(chart.repository, chart.name, chart.version)
            place = mount.at(posixpath.normpath(home))
            self.inputs.directory(Mount("", tree, f"the chart {chart.name}"), "", place=place)
        else:
            raise RenderError(f"{here} inflates the Helm chart {chart.name}, which is not in {home}",
                              hint="add it there, or give its repo")  # fmt: skip
        for holder, key in chart.value_files():
            value = str(holder[key])
            if remote.parse(value) is not None:
                self._files += 1
                name = f".gitops-bot-remote-{self._files}.yaml"
                self.inputs.own(mount.at(posixpath.join(here.directory, name)), self._fetcher.file(value))
                holder[key] = name
            elif value.startswith("/"):
                raise RenderError(f"{here} names the absolute path {value}", hint="write it relative")
            elif self.inputs.file(mount, join(here.directory, value)) is None and real is not None:
                raise RenderError(f"{here} names {value}, which is not there", hint="add it, or correct the reference")


class _Chart(NamedTuple):
    """A Helm chart in a kustomization."""

    entry: dict[str, Any]
    home: str

    @property
    def name(self) -> str:
        return str(self.entry.get("name") or self.entry.get("chartName") or "")

    @property
    def version(self) -> str:
        return str(self.entry.get("version") or self.entry.get("chartVersion") or "")

    @property
    def repository(self) -> str:
        return str(self.entry.get("repo") or self.entry.get("chartRepoUrl") or "")

    def directory(self, here: _Root) -> str:
        """Where kustomize looks for the chart, relative to the kustomization. Raises RenderError for a bad name."""
        if self.name in ("", ".", "..") or "/" in self.name:
            raise RenderError(f"{here} inflates a Helm chart with the name {self.name!r}", hint="correct its name")
        if self.home.startswith("/"):
            raise RenderError(f"{here} has the absolute chartHome {self.home}", hint="write it relative")
        if self.version and self.repository:
            return f"{self.home}/{self.name}-{self.version}/{self.name}"
        return f"{self.home}/{self.name}"

    def value_files(self) -> Iterator[tuple[Any, Any]]:
        """Holder and key of every value file."""
        for field in ("valuesFile", "values"):
            if isinstance(self.entry.get(field), str) and self.entry[field]:
                yield self.entry, field
        additional = self.entry.get("additionalValuesFiles")
        for index in range(len(additional)) if isinstance(additional, list) else ():
            yield additional, index


def _charts(document: Mapping[str, Any]) -> Iterator[_Chart]:
    fields = {name.lower(): value for name, value in document.items()}
    settings = fields.get("helmglobals")
    home = str(settings.get("chartHome") or "charts") if isinstance(settings, dict) else "charts"
    for field in ("helmcharts", "helmchartinflationgenerator"):
        for entry in fields.get(field) or ():
            if isinstance(entry, dict):
                yield _Chart(entry, str(entry.get("chartHome") or home))


def _afar(chart: _Chart) -> bool:
    return any(remote.parse(str(holder[key])) is not None for holder, key in chart.value_files())


def _content(mount: Mount, real: str) -> bytes:
    entry = mount.tree.entry(real)
    assert entry is not None
    return mount.tree.blobs([entry.oid])[entry.oid]


def _parsed(mount: Mount, real: str) -> Any:
    """What a kustomization file says; the same content is read once. Raises RenderError for one that cannot be read."""
    entry = mount.tree.entry(real)
    assert entry is not None
    if entry.oid not in _PARSED:
        if len(_PARSED) >= _PARSED_KEPT:
            _PARSED.clear()
        try:
            found = load(mount.tree.blobs([entry.oid])[entry.oid], strict=False)
        except YamlError as error:
            raise RenderError(f"{real}: {error}") from error
        _PARSED[entry.oid] = found
    return _PARSED[entry.oid]
