"""What a kustomization reaches: our render equals the bare build in the full checkout, or the reason has a name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitops_bot.errors import FetchError, NotRenderable, RenderError
from gitops_bot.model.application import KustomizeOptions, Source
from gitops_bot.render.engines import remote
from gitops_bot.render.engines.kustomize import build_arguments
from gitops_bot.render.engines.prepare import Context
from gitops_bot.render.prepared import Capabilities
from tests.render.sources import Shelf
from tests.render.trees import tree_of


def config_map(name: str, **data: str) -> str:
    entries = "".join(f"  {key}: {value!r}\n" for key, value in data.items())
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n" + (f"data:\n{entries}" if data else "")


PATCH = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: base}\ndata: {patched: 'yes'}\n"
CRD = '{"github.com/x.Y": {"Schema": {"description": "d", "properties": {}}}}'
EVERYTHING = """\
resources: [../../base, own.yaml, ./deep/../deep]
components: [../../components/one]
namePrefix: p-
configMapGenerator:
- name: files
  files: [a.txt, key=nested/b.txt, again=../all/a.txt]
- name: env
  envs: [one.env]
- name: old
  env: one.env
secretGenerator:
- name: secret
  files: [a.txt]
Patches:
- path: patch.yaml
- patch: |-
    - {op: add, path: /data/inline, value: "1"}
  target: {kind: ConfigMap, name: base}
patchesStrategicMerge:
- merge.yaml
- |-
  apiVersion: v1
  kind: ConfigMap
  metadata: {name: base}
  data: {inlined: "yes"}
patchesJson6902:
- path: json.yaml
  target: {version: v1, kind: ConfigMap, name: base}
crds: [crd.json]
configurations: [configuration.yaml]
openapi: {path: schema.json}
replacements:
- path: replacement.yaml
- source: {kind: ConfigMap, name: own, fieldPath: data.x}
  targets: [{select: {kind: ConfigMap, name: base}, fieldPaths: [data.replaced], options: {create: true}}]
generators: [generator.yaml, ../generators]
transformers:
- transformer.yaml
- |-
  apiVersion: builtin
  kind: LabelTransformer
  metadata: {name: l}
  labels: {inline: transformer}
  fieldSpecs: [{path: metadata/labels, create: true}]
validators: []
"""
FILES = {
    "base/kustomization.yaml": "resources: [base.yaml]\n",
    "base/base.yaml": config_map("base", a="1"),
    "components/one/kustomization.yaml": (
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [c.yaml]\n"
    ),
    "components/one/c.yaml": config_map("component"),
    "overlays/all/kustomization.yaml": EVERYTHING,
    "overlays/all/own.yaml": config_map("own", x="from-own"),
    "overlays/all/deep/kustomization.yml": "resources: [d.yaml]\n",
    "overlays/all/deep/d.yaml": config_map("deep"),
    "overlays/all/a.txt": "a",
    "overlays/all/nested/b.txt": "b",
    "overlays/all/one.env": "ONE=1\n",
    "overlays/all/patch.yaml": PATCH,
    "overlays/all/merge.yaml": PATCH.replace("patched", "merged"),
    "overlays/all/json.yaml": "- {op: add, path: /data/json, value: '1'}\n",
    "overlays/all/crd.json": CRD,
    "overlays/all/configuration.yaml": "namePrefix: [{path: data/name, kind: ConfigMap}]\n",
    "overlays/all/schema.json": '{"definitions": {}}',
    "overlays/all/replacement.yaml": (
        "- source: {kind: ConfigMap, name: own, fieldPath: data.x}\n"
        "  targets: [{select: {kind: ConfigMap, name: deep}, fieldPaths: [data.y], options: {create: true}}]\n"
    ),
    "overlays/all/generator.yaml": (
        "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: g}\nfiles: [gen.txt]\n"
    ),
    "overlays/all/gen.txt": "generated",
    "overlays/all/transformer.yaml": (
        "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: t}\npath: tpatch.yaml\ntarget: {name: base}\n"
    ),
    "overlays/all/tpatch.yaml": "- {op: add, path: /data/t, value: '1'}\n",
    "overlays/generators/kustomization.yaml": "resources: [g.yaml]\n",
    "overlays/generators/g.yaml": (
        "apiVersion: builtin\nkind: SecretGenerator\nmetadata: {name: g2}\nliterals: [a=b]\n"
    ),
    "overlays/all/unread.yaml": config_map("unread"),
    "elsewhere/README.md": "nothing to see",
}


def test_everything_a_kustomization_can_name_is_gathered_and_nothing_else(
    workplace: Callable[..., Any], kustomize: str
) -> None:
    place = workplace(FILES)
    prepared = place.prepare(Source(path="overlays/all"))
    assert place.run(prepared) == place.bare(kustomize, "build", "overlays/all")
    paths = {file.path.removeprefix("repo/") for file in prepared.files}
    assert paths == set(FILES) - {"overlays/all/unread.yaml", "elsewhere/README.md"}
    assert all(file.oid for file in prepared.files), "without options every file stays as it is"


def test_links_inside_the_repository_are_followed(workplace: Callable[..., Any], kustomize: str) -> None:
    files = {
        "real/app/kustomization.yaml": "resources: [../base, x.yaml]\n",
        "real/app/x.yaml": config_map("x"),
        "real/base/kustomization.yaml": "resources: [b.yaml]\n",
        "real/base/b.yaml": config_map("b"),
        "env/kustomization.yaml": "resources: [linked, file.yaml]\n",
        "env/sub/c.yaml": config_map("c"),
    }
    place = workplace(files, links={"env/linked": "../real/app", "env/file.yaml": "sub/c.yaml", "short": "env"})
    assert place.render(Source(path="env")) == place.bare(kustomize, "build", "env")
    assert place.render(Source(path="short")) == place.bare(kustomize, "build", "env")


def test_a_link_that_kustomize_refuses_is_refused_by_it(workplace: Callable[..., Any], kustomize: str) -> None:
    files = {"env/kustomization.yaml": "resources: [file.yaml]\n", "other/c.yaml": config_map("c")}
    place = workplace(files, links={"env/file.yaml": "../other/c.yaml"})
    with pytest.raises(RenderError, match=r"security; file 'env/file\.yaml' is not in or below 'env'"):
        place.render(Source(path="env"))
    assert b"name: c" in place.render(Source(path="env"), build_options=("--load-restrictor LoadRestrictionsNone",))


@pytest.mark.parametrize(
    ("kustomization", "more", "links", "problem"),
    [
        ("resources: [../../outside]", {}, {}, "leads out of this repository"),
        ("resources: [/etc]", {}, {}, "absolute path /etc"),
        ("components: [/etc]", {}, {}, "absolute path /etc"),
        ("patches: [{path: /etc/passwd}]", {}, {}, "absolute path /etc/passwd"),
        ("configMapGenerator: [{name: a, files: [k=/etc/passwd]}]", {}, {}, "absolute path /etc/passwd"),
        ("configMapGenerator: [{name: a, files: [k=../../../etc/passwd]}]", {}, {}, "leads out of this repository"),
        ("resources: [link.yaml]", {}, {"app/link.yaml": "/etc/passwd"}, "symbolic link to the absolute path"),
        ("resources: [link.yaml]", {}, {"app/link.yaml": "../../x"}, "leads out of this repository"),
        ("resources: [a]", {}, {"app/a": "b", "app/b": "a"}, "circle"),
        ("resources: [gone.yaml]", {}, {}, "names gone.yaml, which is not there"),
        ("resources: [empty]", {"app/empty/x": ""}, {}, "has no kustomization file"),
        ("resources: [file:///etc]", {}, {}, "outside of every repository"),
        ("resources: [a: b: c]", {}, {}, "app/kustomization.yaml: line 1"),
        ("resources: [*x]", {}, {}, "app/kustomization.yaml: "),
        ("resources: []\nhelmCharts: [{name: x}]", {}, {}, "only with --enable-helm"),
        ("generators: [g.yaml]", {"app/g.yaml": "apiVersion: viaduct.ai/v1\nkind: ksops\n"}, {}, "plugin ksops"),
        ("generators: ['{apiVersion: x/v1, kind: Mine}']", {}, {}, "plugin Mine"),
        (
            "transformers: [t.yaml]",
            {"app/t.yaml": "apiVersion: builtin\nkind: F\nmetadata: {annotations: {config.kubernetes.io/function: x}}"},
            {},
            "KRM function F",
        ),
        (
            "transformers: [../t]",
            {"t/kustomization.yaml": "resources: [t.yaml]", "t/t.yaml": "apiVersion: x/v1\nkind: Exec\n"},
            {},
            "plugin Exec",
        ),
    ],
)
def test_what_must_not_be_read_or_run_is_refused_by_name(
    kustomization: str, more: dict[str, str], links: dict[str, str], problem: str, workplace: Callable[..., Any]
) -> None:
    place = workplace({"app/kustomization.yaml": kustomization, **more}, links=links)
    with pytest.raises(RenderError, match=problem):
        place.prepare(Source(path="app"))


def test_plugins_are_not_renderable_by_nature(workplace: Callable[..., Any]) -> None:
    place = workplace({"kustomization.yaml": "generators: ['{apiVersion: viaduct.ai/v1, kind: ksops}']"})
    with pytest.raises(NotRenderable, match="ksops"):
        place.prepare(Source(path="."))


# -- from afar --------------------------------------------------------------------------------------------------------


def test_remote_bases_and_files_come_from_the_fetcher(workplace: Callable[..., Any], kustomize: str) -> None:
    files = {
        "app/kustomization.yaml": (
            "resources:\n- github.com/acme/bases//web/overlay?ref=v1\n- https://example.org/x/y.yaml\n- ../local\n"
            "configMapGenerator:\n- name: g\n  files: [https://example.org/data.txt, own=https://example.org/data.txt]\n"
        ),
        "local/kustomization.yaml": "resources: [https://github.com/acme/bases.git/other?ref=v1]\n",
    }
    bases = tree_of(
        {
            "web/overlay/kustomization.yaml": "resources: [../base]\nnamePrefix: far-\n",
            "web/base/kustomization.yaml": "resources: [b.yaml]\n",
            "web/base/b.yaml": config_map("base"),
            "other/kustomization.yaml": "resources: [o.yaml]\n",
            "other/o.yaml": config_map("other"),
            "unread.yaml": "",
        }
    )
    shelf = Shelf(
        repositories={"https://github.com/acme/bases": bases, "https://github.com/acme/bases.git": bases},
        files={"https://example.org/x/y.yaml": config_map("file").encode(), "https://example.org/data.txt": b"data"},
    )
    place = workplace(files)
    prepared = place.prepare(Source(path="app"), fetcher=shelf)
    found = place.run(prepared)
    for name in (b"far-base", b"name: other", b"name: file", b"data.txt: data", b"own: data"):
        assert name in found
    assert ("https://github.com/acme/bases", "v1") in shelf.asked
    assert not any("unread" in file.path for file in prepared.files)
    assert prepared.key({}) == place.prepare(Source(path="app"), fetcher=shelf).key({})


def test_a_remote_base_that_policy_refuses_keeps_its_reason(workplace: Callable[..., Any]) -> None:
    place = workplace({"kustomization.yaml": "resources: [git@git.example.org:team/x.git//y?ref=1]\n"})
    with pytest.raises(FetchError, match=r"git@git\.example\.org:team/x\.git is not allowed"):
        place.prepare(Source(path="."))


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("github.com/o/r", ("https://github.com/o/r", "", "", False)),
        ("github.com/o/r/p/q?ref=v1", ("https://github.com/o/r", "p/q", "v1", False)),
        ("https://github.com/o/r//p?ref=v1&submodules=false", ("https://github.com/o/r", "p", "v1", False)),
        ("https://github.com/o/r.git/p?version=2", ("https://github.com/o/r.git", "p", "2", False)),
        ("git::https://git.example.org/o/r.git//p", ("https://git.example.org/o/r.git", "p", "", False)),
        ("ssh://git@git.example.org/o/r//p", ("ssh://git@git.example.org/o/r", "p", "", False)),
        ("git@github.com:o/r.git//p?ref=x", ("git@github.com:o/r.git", "p", "x", False)),
        ("git@github.com:o/r/p", ("git@github.com:o/r", "p", "", False)),
        ("gh:o/r/p", ("https://github.com/o/r", "p", "", False)),
        (
            "https://dev.azure.com/o/p/_git/r/path?ref=x",
            ("https://dev.azure.com/o/p/_git/r", "path", "x", False),
        ),
        (
            "https://github.com/o/r/releases/download/v1/m.yaml",
            ("https://github.com/o/r/releases/download/v1/m.yaml", "", "", True),
        ),
        ("https://example.org/install", ("https://example.org/install", "", "", True)),
    ],
)
def test_remotes_are_read_as_kustomize_reads_them(reference: str, expected: tuple[str, str, str, bool]) -> None:
    assert remote.parse(reference) == expected


@pytest.mark.parametrize("reference", ["../base", "base", "./github.com", "a:b", "x@y", "deploy.yaml", ""])
def test_paths_are_no_remotes(reference: str) -> None:
    assert remote.parse(reference) is None


def test_a_token_in_a_url_is_not_shown() -> None:
    found = remote.parse("https://user:secret@git.example.org/o/r.git//p")
    assert found is not None and "secret" not in found.label


# -- charts in kustomizations -----------------------------------------------------------------------------------------

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: foo\nversion: 1.0.0\n",
    "values.yaml": "a: default\n",
    "templates/cm.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}'}\n"
        "data: {a: '{{ .Values.a }}', b: '{{ .Values.b }}', kube: '{{ .Capabilities.KubeVersion }}',"
        " api: '{{ .Capabilities.APIVersions.Has \"acme/v1\" }}'}\n"
    ),
}
INFLATE = """\
helmCharts:
- {name: foo, releaseName: local, valuesFile: my.yaml, additionalValuesFiles: [more.yaml]}
- {name: foo, releaseName: far, version: 1.0.0, repo: "https://charts.example.org", valuesInline: {b: inline}}
"""


def test_charts_in_a_kustomization_are_inflated_from_here_and_from_afar(
    workplace: Callable[..., Any], kustomize: str, helm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"app/charts/foo/{path}": content for path, content in CHART.items()}
    files |= {"app/kustomization.yaml": INFLATE, "app/my.yaml": "a: mine\n", "app/more.yaml": "b: more\n"}
    place = workplace(files)
    context = {
        "fetcher": Shelf(charts={"foo": tree_of(CHART)}),
        "build_options": ("--enable-helm",),
        "capabilities": Capabilities(kube_version="1.33.1", api_versions=("acme/v1",)),
    }
    prepared = place.prepare(Source(path="app"), **context)
    assert prepared.needs_helm
    found = place.run(prepared)
    for path, content in CHART.items():
        (place.checkout / "app/charts/foo-1.0.0/foo" / path).parent.mkdir(parents=True, exist_ok=True)
        (place.checkout / "app/charts/foo-1.0.0/foo" / path).write_text(content)
    monkeypatch.setenv("PATH", f"{os.path.dirname(helm)}:{os.environ['PATH']}")
    options = ("--enable-helm", "--helm-kube-version=1.33.1", "--helm-api-versions=acme/v1")
    assert found == place.bare(kustomize, "build", "app", *options)
    for text in (b"a: mine", b"b: more", b"b: inline", b"v1.33.1", b'api: "true"'):
        assert text in found


@pytest.mark.parametrize("name", ["..", ".", "a/b", ""])
def test_a_chart_cannot_be_named_like_a_path(name: str, workplace: Callable[..., Any]) -> None:
    place = workplace({"kustomization.yaml": f"helmCharts: [{{name: '{name}', repo: 'https://charts.example.org'}}]"})
    with pytest.raises(RenderError, match="inflates a Helm chart with the name"):
        place.prepare(Source(path="."), build_options=("--enable-helm",))


# -- build options ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "option",
    [
        "--helm-command=/bin/sh",
        "--helm-command /bin/sh",
        "--enable-alpha-plugins",
        "--enable-exec",
        "--network",
        "--mount=/",
        "-o /etc/passwd",
        "--output=/x",
        "--env=A",
        "--as-current-user",
        "../other",
        "--load-restrictor=whatever",
    ],
)
def test_build_options_that_run_or_write_are_refused(option: str) -> None:
    with pytest.raises(RenderError):
        build_arguments([option], KustomizeOptions(), Context(fetcher=Shelf()))


def test_build_options_are_taken_in_either_notation() -> None:
    given = ["--enable-helm", "--load-restrictor LoadRestrictionsNone", "--helm-kube-version=1.30"]
    context = Context(fetcher=Shelf(), capabilities=Capabilities(kube_version="1.33"))
    assert build_arguments(given, KustomizeOptions(), context) == (
        "--enable-helm",
        "--load-restrictor=LoadRestrictionsNone",
        "--helm-kube-version=1.30",
    )


def test_the_scratch_is_gone_after_a_failure_too(workplace: Callable[..., Any], kustomize: str) -> None:
    place = workplace({"kustomization.yaml": "nothing: here\n"})
    with pytest.raises(RenderError, match="kustomize: "):
        place.render(Source(path="."))
    assert list(Path(place.scratch).iterdir()) == []
