"""What is deployed without an Application, in the layouts people really have."""

from __future__ import annotations

from gitops_bot.model.target import Target
from gitops_bot.render import plain
from tests.render.trees import tree_of

MANIFEST = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"


def ids(targets: object) -> list[str]:
    return [target.id for target in targets if isinstance(target, Target)]  # type: ignore[attr-defined]


def test_a_chart_is_one_target_for_each_environment_it_has_values_for() -> None:
    tree = tree_of(
        {"web/Chart.yaml": CHART, "web/values.yaml": "", "web/values-dev.yaml": "", "web/values-prod.yml": ""}
    )
    assert ids(plain.charts(tree, ())) == ["helm:web#values-dev.yaml", "helm:web#values-prod.yml"]


def test_a_chart_without_environments_is_rendered_with_its_defaults() -> None:
    (target,) = plain.charts(tree_of({"charts/web/Chart.yaml": CHART}), ())
    assert (target.id, target.namespace) == ("helm:charts/web", "default")
    assert target.sources[0].helm is not None
    assert target.sources[0].helm.release_name == "web"


def test_libraries_vendored_charts_and_dependencies_of_neighbours_are_no_targets() -> None:
    tree = tree_of(
        {
            "web/Chart.yaml": CHART + "dependencies:\n- {name: common, repository: 'file://../common'}\n",
            "web/charts/redis/Chart.yaml": CHART,
            "common/Chart.yaml": CHART,
            "helpers/Chart.yaml": CHART + "type: library\n",
        }
    )
    assert ids(plain.charts(tree, ())) == ["helm:web"]


def test_what_an_application_renders_is_claimed() -> None:
    tree = tree_of({"web/Chart.yaml": CHART, "overlays/dev/kustomization.yaml": "resources: []\n"})
    assert ids(plain.charts(tree, {"web/Chart.yaml"})) == []
    assert ids(plain.overlays(tree, {"overlays/dev/kustomization.yaml"})) == []


def test_only_kustomizations_that_nobody_includes_are_targets() -> None:
    tree = tree_of(
        {
            "base/kustomization.yaml": "resources: [a.yaml]\n",
            "base/a.yaml": MANIFEST,
            "overlays/dev/kustomization.yml": "resources: [../../base/]\ncomponents: [../../tls]\n",
            "overlays/prod/Kustomization": "bases: [../../base]\n",
            "tls/kustomization.yaml": "kind: Component\n",
            "unused/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n",
        }
    )
    assert ids(plain.overlays(tree, ())) == ["kustomize:overlays/dev", "kustomize:overlays/prod"]


def test_a_kustomization_at_the_root_that_is_included_is_no_target() -> None:
    tree = tree_of({"kustomization.yaml": "resources: []\n", "dev/kustomization.yaml": "resources: ['..']\n"})
    assert ids(plain.overlays(tree, ())) == ["kustomize:dev"]


def test_a_broken_kustomization_is_still_a_target() -> None:
    assert ids(plain.overlays(tree_of({"dev/kustomization.yaml": "resources: [\n"}), ())) == ["kustomize:dev"]


def test_directories_of_manifests_are_targets_and_their_other_files_are_not() -> None:
    tree = tree_of(
        {
            "deploy/a.yaml": MANIFEST,
            "deploy/b.json": '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}}',
            "deploy/notes.yaml": "just: notes\n",
            "deploy/template.yaml": "{{ if .x }}\n" + MANIFEST,
            "deploy/kind.yaml": "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n",
            "docs/openapi.json": '{"openapi": "3.0"}',
            ".github/workflows/a.yaml": MANIFEST,
            "web/Chart.yaml": CHART,
            "web/files/a.yaml": MANIFEST,
            "base/kustomization.yaml": "",
            "base/unused/a.yaml": MANIFEST,
        }
    )
    (target,) = plain.directories(tree, ())
    assert target.id == "directory:deploy"
    assert target.sources[0].directory is not None
    assert target.sources[0].directory.include == "{a.yaml,b.json}"


def test_files_that_something_else_reads_are_not_listed_again() -> None:
    tree = tree_of({"deploy/a.yaml": MANIFEST, "deploy/b.yaml": MANIFEST})
    (target,) = plain.directories(tree, {"deploy/a.yaml"})
    assert target.sources[0].directory is not None
    assert target.sources[0].directory.include == "b.yaml"


def test_what_asks_to_be_passed_over_is_no_part_of_a_directory() -> None:
    tree = tree_of({"deploy/a.yaml": MANIFEST, "deploy/b.yaml": "# +argocd:skip-file-rendering\n" + MANIFEST})
    (target,) = plain.directories(tree, ())
    assert target.sources[0].directory is not None
    assert target.sources[0].directory.include == "a.yaml"
