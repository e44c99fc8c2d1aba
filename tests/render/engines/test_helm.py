"""Helm sources: our render equals ``helm template`` with the documented flags in the full checkout."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gitops_bot.errors import NotRenderable, RenderError
from gitops_bot.manifests.yaml import load_all
from gitops_bot.model.application import HelmFileParameter, HelmOptions, HelmParameter, Source
from gitops_bot.render.engines.helm import escape_commas
from gitops_bot.render.engines.run import Program, Tools, run
from gitops_bot.render.prepared import Capabilities
from tests.render.sources import KUBE_VERSION, Shelf
from tests.render.trees import tree_of

DUMP = (
    "apiVersion: v1\nkind: ConfigMap\n"
    "metadata: {name: '{{ .Release.Name }}', namespace: '{{ .Release.Namespace }}'}\n"
    "data:\n  values: |\n{{ .Values | toYaml | indent 4 }}\n"
    "  kube: '{{ .Capabilities.KubeVersion }}'\n"
    "  api: '{{ .Capabilities.APIVersions.Has \"acme.io/v1\" }}'\n"
    '  file: {{ .Files.Get "files/a.txt" | quote }}\n'
)
CHART = {
    "Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "values.yaml": "a: chart\nlist: [1]\nnested: {x: 1, z: 2}\n",
    "values-staging.yaml": "a: staging\nonly: staging\n",
    "templates/cm.yaml": DUMP,
    "templates/tests/t.yaml": ("apiVersion: v1\nkind: Pod\nmetadata: {name: t, annotations: {helm.sh/hook: test}}\n"),
    "crds/crd.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x.acme.io}\n",
    "files/a.txt": "from a file",
}
REPOSITORY = {f"charts/web/{path}": content for path, content in CHART.items()} | {
    "shared/common.yaml": "a: shared\nshared: true\n",
    "odd,name.yaml": "odd: true\n",
    "unrelated.txt": "",
}


def at(directory: str, **files: str) -> dict[str, str]:
    return {f"{directory}/{path}": content for path, content in files.items()}


def data(manifests: bytes) -> dict[str, Any]:
    """The values that the chart saw, with what it says of its surroundings."""
    found = next(one for one in load_all(manifests) if one and one["kind"] == "ConfigMap")
    return {
        **load_all(found["data"]["values"].encode())[0],
        **{k: v for k, v in found["data"].items() if k != "values"},
    }


def flags(*more: str) -> tuple[str, ...]:
    return ("template", ".", "--name-template", "web", "--namespace", "shop", "--kube-version", KUBE_VERSION, *more)


CASES: dict[str, tuple[HelmOptions | None, tuple[str, ...]]] = {
    "nothing": (None, ("--include-crds",)),
    "skip crds": (HelmOptions(skip_crds=True), ()),
    "skip tests": (HelmOptions(skip_tests=True), ("--include-crds", "--skip-tests")),
    "value files": (
        HelmOptions(value_files=("values-staging.yaml", "/shared/common.yaml")),
        ("--values", "values-staging.yaml", "--values", "../../shared/common.yaml", "--include-crds"),
    ),
    "parameters": (
        HelmOptions(
            parameters=(
                HelmParameter(name="a", value="1"),
                HelmParameter(name="b", value="1", force_string=True),
                HelmParameter(name="list", value="{x,y}"),
                HelmParameter(name="comma", value="x,y"),
                HelmParameter(name="a", value="2"),
            ),
        ),
        ("--set", "a=2", "--set", "list={x,y}", "--set", r"comma=x\,y", "--set-string", "b=1", "--include-crds"),
    ),
    "file parameters": (
        HelmOptions(file_parameters=(HelmFileParameter(name="text", path="files/a.txt"),)),
        ("--set-file", "text=files/a.txt", "--include-crds"),
    ),
    "skip schema": (
        HelmOptions(skip_schema_validation=True),
        ("--include-crds", "--skip-schema-validation"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_ours_equals_helm_template(case: str, workplace: Callable[..., Any], helm: str) -> None:
    options, more = CASES[case]
    place = workplace(REPOSITORY)
    ours = place.render(Source(path="charts/web", helm=options))
    ended = subprocess.run([helm, *flags(*more)], cwd=place.checkout / "charts/web", capture_output=True, check=True)
    assert ours == ended.stdout


def test_later_sources_of_values_win(workplace: Callable[..., Any], helm: str) -> None:
    place = workplace(REPOSITORY)
    options = HelmOptions(
        value_files=("values-staging.yaml", "/shared/common.yaml"),
        values_object={"a": "object", "nested": {"x": 9}},
        values="a: text\n",
        parameters=(HelmParameter(name="nested.z", value="$ARGOCD_APP_REVISION_SHORT"),),
    )
    found = data(place.render(Source(path="charts/web", helm=options)))
    assert found["a"] == "object" and found["only"] == "staging" and found["shared"] is True
    assert found["nested"] == {"x": 9, "z": "0123456"}
    text = HelmOptions(values="a: text\n")
    assert data(place.render(Source(path="charts/web", helm=text)))["a"] == "text"


def test_capabilities_come_from_the_cluster_unless_the_application_has_its_own(
    workplace: Callable[..., Any], helm: str
) -> None:
    place = workplace(REPOSITORY)
    cluster = Capabilities(kube_version="1.31", api_versions=("acme.io/v1",))
    found = data(place.render(Source(path="charts/web"), capabilities=cluster))
    assert found["kube"].startswith("v1.31") and found["api"] == "true"
    own = HelmOptions(kube_version="1.30.1", api_versions=("other/v1",))
    found = data(place.render(Source(path="charts/web", helm=own), capabilities=cluster))
    assert found["kube"] == "v1.30.1" and found["api"] == "false"


def test_refs_reach_into_other_sources_and_remote_files_come_from_the_fetcher(
    workplace: Callable[..., Any], helm: str
) -> None:
    place = workplace(REPOSITORY)
    other = tree_of({"web/values.yaml": "a: ref\n", "unread": ""})
    options = HelmOptions(value_files=("$config/web/values.yaml", "https://example.org/v.yaml"))
    prepared = place.prepare(
        Source(path="charts/web", helm=options),
        refs={"config": other},
        fetcher=Shelf(files={"https://example.org/v.yaml": b"far: 1\n"}),
    )
    found = data(place.run(prepared))
    assert found["a"] == "ref" and found["far"] == 1
    assert "refs/config/web/values.yaml" in {file.path for file in prepared.files}
    assert not any("unrelated" in file.path or "unread" in file.path for file in prepared.files)


def test_a_value_file_may_have_an_odd_name(workplace: Callable[..., Any], helm: str) -> None:
    place = workplace(REPOSITORY)
    options = HelmOptions(value_files=("/odd,name.yaml",))
    assert data(place.render(Source(path="charts/web", helm=options)))["odd"] is True


def test_a_chart_from_afar_is_rendered_from_its_tree(workplace: Callable[..., Any], helm: str) -> None:
    place = workplace({"x": ""})
    place.tree = tree_of(CHART)
    found = data(place.render(Source(chart="web", repo_url="https://charts.example.org", target_revision="1.0.0")))
    assert found["a"] == "chart" and found["file"] == "from a file"


def test_release_names(workplace: Callable[..., Any], helm: str) -> None:
    place = workplace(REPOSITORY)
    source = Source(path="charts/web", helm=HelmOptions(release_name="other", namespace="elsewhere"))
    assert b"name: 'other'" in place.render(source) and b"namespace: 'elsewhere'" in place.render(source)
    for name, problem in (("x" * 54, "54 characters"), ('{{ env "HOME" }}', "is a template")):
        with pytest.raises(RenderError, match=problem):
            place.prepare(Source(path="charts/web", helm=HelmOptions(release_name=name)))


@pytest.mark.parametrize(
    ("value", "escaped"), [("a,b", r"a\,b"), (r"a\,b", r"a\,b"), ("{a,b}", "{a,b}"), (",", r"\,"), ("a", "a"), ("", "")]
)
def test_commas_are_escaped_as_argo_cd_does(value: str, escaped: str) -> None:
    assert escape_commas(value) == escaped


# -- dependencies -----------------------------------------------------------------------------------------------------


def chart(name: str, *dependencies: str, version: str = "1.0.0") -> dict[str, str]:
    listed = "".join(f"- {dependency}\n" for dependency in dependencies)
    return {
        f"{name}/Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: {version}\n"
        + (f"dependencies:\n{listed}" if listed else ""),
        f"{name}/templates/cm.yaml": (
            f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: from-{name}-{{{{ .Chart.Name }}}}}}\n"
        ),
    }


def test_file_dependencies_equal_helm_dependency_build(workplace: Callable[..., Any], helm: str) -> None:
    files = {
        **chart("app", '{name: lib, version: 1.x.x, repository: "file://../lib"}',
                '{name: lib, alias: again, version: 1.x.x, repository: "file://../lib", condition: again.enabled}'),
        **chart("lib", '{name: deeper, version: 1.0.0, repository: "file://../deeper"}'),
        **chart("deeper"),
    }  # fmt: skip
    place = workplace(files)
    prepared = place.prepare(Source(path="app"))
    ours = place.run(prepared)
    subprocess.run([helm, "dependency", "build", "app"], cwd=place.checkout, check=True, capture_output=True)
    bare = subprocess.run(
        [helm, *flags("--include-crds")], cwd=place.checkout / "app", check=True, capture_output=True
    ).stdout
    assert ours == bare
    assert b"from-lib-lib" in ours and b"from-lib-again" in ours and b"deeper" not in ours
    assert prepared.warnings == ("the dependency lib lacks its own dependency deeper, which Helm then leaves out",)


def test_vendored_dependencies_are_taken_as_they_are(workplace: Callable[..., Any], helm: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, content in chart("packed", version="2.1.0").items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content.encode()))
    files: dict[str, str | bytes] = {
        **chart("app", '{name: packed, version: 2.1.0, repository: "https://charts.example.org"}',
                '{name: unpacked, version: 1.0.0, repository: "https://charts.example.org"}'),
        "app/charts/packed-2.1.0.tgz": buffer.getvalue(),
        **{f"app/charts/{path}": content for path, content in chart("unpacked").items()},
    }  # fmt: skip
    shelf = Shelf()
    found = workplace(files).render(Source(path="app"), fetcher=shelf)
    assert b"from-packed" in found and b"from-unpacked" in found and shelf.asked == []


def test_other_dependencies_come_from_the_fetcher_at_the_locked_version(
    workplace: Callable[..., Any], helm: str
) -> None:
    far = tree_of({path.removeprefix("far/"): content for path, content in chart("far", version="1.4.2").items()})
    files = {
        **chart("app", '{name: far, version: ^1.0.0, repository: "oci://registry.example.org/charts"}'),
        "app/Chart.lock": (
            'dependencies:\n- {name: far, version: 1.4.2, repository: "oci://registry.example.org/charts"}\n'
        ),
    }
    shelf = Shelf(charts={"far": far})
    assert b"from-far-far" in workplace(files).render(Source(path="app"), fetcher=shelf)
    assert shelf.asked == [("far", "oci://registry.example.org/charts", "1.4.2")]


def test_an_old_chart_lists_its_dependencies_in_requirements(workplace: Callable[..., Any], helm: str) -> None:
    files = {
        **chart("app"),
        **chart("lib"),
        "app/Chart.yaml": "apiVersion: v1\nname: app\nversion: 1.0.0\n",
        "app/requirements.yaml": 'dependencies:\n- {name: lib, version: 1.0.0, repository: "file://../lib"}\n',
    }
    assert b"from-lib" in workplace(files).render(Source(path="app"))


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "links", "problem"),
    [
        ({}, {}, "no Chart.yaml"),
        (chart("app", '{name: .., version: 1, repository: "https://x"}'), {}, "dependency with the name '..'"),
        (chart("app", '{name: ., version: 1, repository: "https://x"}'), {}, "dependency with the name '.'"),
        (chart("app", '{name: a/b, version: 1, repository: "https://x"}'), {}, "dependency with the name 'a/b'"),
        (chart("app", '{name: x, version: 1, repository: "file:///etc"}'), {}, "absolute path /etc"),
        (chart("app", '{name: x, version: 1, repository: "file://../../x"}'), {}, "leads out of this repository"),
        (chart("app", '{name: x, version: 1, repository: "file://../x"}'), {}, "is not at file://../x"),
        (chart("app", "{name: x, version: 1}"), {}, "names no repository"),
        (chart("app", '{name: x, version: 1, repository: "https://evil.example.org"}'), {}, "not allowed"),
        (chart("app"), {"app/crds": "/etc"}, "absolute path"),
        (chart("app"), {"app/crds": "../../x"}, "leads out of this repository"),
        (chart("app"), {"app/Chart.lock": "../../x"}, "leads out of this repository"),
        (chart("app"), {"app/templates/x.yaml": "/etc/passwd"}, "absolute path"),
        (chart("app"), {"app/templates/x.yaml": "nowhere"}, "symbolic link to nothing"),
        (chart("app"), {"app/templates/up": "../.."}, "leads out|circle"),
        (chart("app"), {"app/templates/up": ".."}, "circle"),
        ({**chart("app"), "app/values.schema.json": '{"$ref": "file:///dev/zero"}'}, {}, "file:///dev/zero"),
        ({**chart("app"), "app/values.schema.json": '{"a": [{"\\u0024ref": "http://x/y"}]}'}, {}, "http://x/y"),
        ({**chart("app"), "app/values.schema.json": '{"$ref": "other.json"}'}, {}, "other.json"),
        ({**chart("app"), "app/Chart.yaml": "a: [b: c"}, {}, "app/Chart.yaml: "),
        ({**chart("app"), "app/Chart.yaml": "[]"}, {}, "app/Chart.yaml does not hold a mapping"),
    ],
)
def test_hostile_charts_are_refused_by_name(
    files: dict[str, str], links: dict[str, str], problem: str, workplace: Callable[..., Any]
) -> None:
    place = workplace({"app/README.md": "", **files}, links=links)
    with pytest.raises(RenderError, match=problem):
        place.prepare(Source(path="app", helm=HelmOptions(release_name="x")))


def test_an_lfs_pointer_is_not_renderable(workplace: Callable[..., Any]) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12345\n"
    place = workplace({**chart("app"), "app/values.yaml": pointer})
    with pytest.raises(NotRenderable, match=r"app/values\.yaml is a Git LFS pointer"):
        place.prepare(Source(path="app"))


def test_links_inside_the_repository_render_as_their_content(workplace: Callable[..., Any], helm: str) -> None:
    files = {**chart("app"), "shared/x.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shared}\n"}
    place = workplace(files, links={"app/templates/shared": "../../shared", "app/crds": "../shared"})
    assert place.render(Source(path="app")).count(b"name: shared") == 2


def test_lookup_answers_nothing_and_is_named(workplace: Callable[..., Any], helm: str) -> None:
    template = 'a: {{ lookup "v1" "Secret" "default" "x" | toJson | quote }}\n'
    place = workplace({**chart("app"), "app/templates/l.yaml": template})
    prepared = place.prepare(Source(path="app"))
    assert any("lookup" in warning for warning in prepared.warnings) and "lookup" in prepared.unstable
    assert b'a: "{}"' in place.run(prepared)


# -- both Helms -------------------------------------------------------------------------------------------------------


def test_helm_3_and_helm_4_give_the_same_objects(workplace: Callable[..., Any], helms: Mapping[int, str]) -> None:
    place = workplace(REPOSITORY)
    prepared = place.prepare(Source(path="charts/web", helm=HelmOptions(value_files=("values-staging.yaml",))))
    outputs = [
        run(prepared, Tools(helm=Program((program,), program)), scratch=Path(place.scratch))
        for program in (helms[3], helms[4])
    ]
    assert load_all(outputs[0]) == load_all(outputs[1])
