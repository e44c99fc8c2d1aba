"""Our writing of an Application's kustomize options, judged by the real ``kustomize edit``."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitops_bot.errors import RenderError
from gitops_bot.manifests.yaml import dump, load
from gitops_bot.model.application import KustomizeOptions, KustomizePatch, KustomizeReplica, Source
from gitops_bot.render.engines.kustomization import apply, parse_image

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: a, image: "nginx:1.0"}
      - {name: b, image: "registry.example.org:5000/team/busybox"}
"""
PLAIN = "resources: [deployment.yaml]\n"
RICH = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
bases: [../base]
namePrefix: old-
images:
- {name: nginx, newName: mirror/nginx, newTag: "1.1"}
- {name: registry.example.org:5000/team/busybox, digest: "sha256:aa"}
commonLabels: {team: a}
commonAnnotations: {note: "one"}
labels:
- pairs: {tier: front}
- pairs: {deep: "yes"}
  includeTemplates: true
replicas:
- {name: web, count: 2}
patchesStrategicMerge:
- |-
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web}
  spec: {minReadySeconds: 7}
"""
COMPONENT = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nlabels:\n- pairs: {from: component}\n"
FILES = {
    "base/kustomization.yaml": PLAIN,
    "base/deployment.yaml": DEPLOYMENT,
    "plain/kustomization.yaml": PLAIN,
    "plain/deployment.yaml": DEPLOYMENT,
    "rich/kustomization.yaml": RICH,
    "components/one/kustomization.yaml": COMPONENT,
}

CASES: dict[str, tuple[KustomizeOptions, list[list[str]]]] = {
    "prefix": (KustomizeOptions(name_prefix="-x-"), [["set", "nameprefix", "--", "-x-"]]),
    "suffix": (KustomizeOptions(name_suffix="-x"), [["set", "namesuffix", "--", "-x"]]),
    "namespace": (KustomizeOptions(namespace="shop"), [["set", "namespace", "--", "shop"]]),
    "replicas": (
        KustomizeOptions(replicas=(KustomizeReplica(name="web", count=5),)),
        [["set", "replicas", "web=5"]],
    ),
    "replicas as text": (
        KustomizeOptions(replicas=(KustomizeReplica(name="web", count="4"),)),
        [["set", "replicas", "web=4"]],
    ),
    "labels forced": (
        KustomizeOptions(common_labels={"team": "b", "new": "1"}, force_common_labels=True),
        [["add", "label", "--force", "team:b", "new:1"]],
    ),
    "labels without selector": (
        KustomizeOptions(common_labels={"team": "b"}, label_without_selector=True),
        [["add", "label", "--without-selector", "team:b"]],
    ),
    "labels in templates": (
        KustomizeOptions(common_labels={"also": "x"}, label_without_selector=True, label_include_templates=True),
        [["add", "label", "--without-selector", "--include-templates", "also:x"]],
    ),
    "labels forced in templates": (
        KustomizeOptions(
            common_labels={"deep": "no"},
            label_without_selector=True,
            label_include_templates=True,
            force_common_labels=True,
        ),
        [["add", "label", "--force", "--without-selector", "--include-templates", "deep:no"]],
    ),
    "annotations": (
        KustomizeOptions(common_annotations={"more": "a:b"}),
        [["add", "annotation", "more:a:b"]],
    ),
    "annotations forced": (
        KustomizeOptions(common_annotations={"note": "two"}, force_common_annotations=True),
        [["add", "annotation", "--force", "note:two"]],
    ),
    "component": (
        KustomizeOptions(components=("../components/one",)),
        [["add", "component", "--", "../components/one"]],
    ),
    "everything": (
        KustomizeOptions(
            name_prefix="p-",
            images=("nginx:2",),
            common_labels={"l": "1"},
            common_annotations={"n": "2"},
            namespace="shop",
            components=("../components/one",),
        ),
        [
            ["set", "nameprefix", "--", "p-"],
            ["set", "image", "nginx:2"],
            ["add", "label", "l:1"],
            ["add", "annotation", "n:2"],
            ["set", "namespace", "--", "shop"],
            ["add", "component", "--", "../components/one"],
        ],
    ),
} | {
    f"images {images}": (KustomizeOptions(images=images), [["set", "image", *images]])
    for images in (
        ("nginx:2",),
        ("nginx=other",),
        ("nginx=other:3",),
        ("nginx=other@sha256:bb",),
        ("nginx=other:3@sha256:bb",),
        ("nginx@sha256:bb",),
        ("nginx=*:3",),
        ("nginx:*",),
        ("registry.example.org:5000/team/busybox:3", "nginx=registry.example.org:5000/nginx"),
        ("nginx=a", "nginx=b:1"),
        ("absent:1", "nginx="),
    )
}


@pytest.mark.parametrize("root", ["plain", "rich"])
@pytest.mark.parametrize("case", CASES)
def test_a_build_of_ours_equals_the_build_after_real_edits(
    case: str, root: str, workplace: Callable[..., Any], kustomize: str
) -> None:
    options, edits = CASES[case]
    place = workplace(FILES)
    ours = place.render(Source(path=root, kustomize=options))
    for edit in edits:
        subprocess.run([kustomize, "edit", *edit], cwd=place.checkout / root, check=True)
    assert ours == place.bare(kustomize, "build", root)


@pytest.mark.parametrize("image", ["nginx", "registry.example.org:5000/nginx", ""])
def test_an_image_that_says_nothing_is_refused_as_kustomize_does(image: str, tmp_path: Path, kustomize: str) -> None:
    (tmp_path / "kustomization.yaml").write_text(PLAIN)
    assert subprocess.run([kustomize, "edit", "set", "image", image], cwd=tmp_path, check=False).returncode != 0
    with pytest.raises(RenderError, match="neither a new name"):
        parse_image(image)


def test_patches_are_appended_as_argo_cd_does(workplace: Callable[..., Any], kustomize: str) -> None:
    patches = (
        KustomizePatch(
            patch='[{"op": "add", "path": "/spec/revisionHistoryLimit", "value": 9}]', target={"kind": "Deployment"}
        ),
        KustomizePatch(path="extra.yaml"),
    )
    extra = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {paused: true}\n"
    place = workplace({**FILES, "rich/extra.yaml": extra})
    ours = place.render(Source(path="rich", kustomize=KustomizeOptions(patches=patches)))
    file = place.checkout / "rich/kustomization.yaml"
    document = load(file.read_bytes())
    document["patches"] = [
        {"patch": patches[0].patch, "target": {"kind": "Deployment"}},
        {"path": "extra.yaml"},
    ]
    file.write_text(dump(document))
    assert ours == place.bare(kustomize, "build", "rich")
    assert b"revisionHistoryLimit: 9" in ours and b"paused: true" in ours


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (KustomizeOptions(common_labels={"team": "b"}), "label team is in the kustomization already"),
        (KustomizeOptions(common_annotations={"note": "b"}), "annotation note is in the kustomization already"),
        (KustomizeOptions(common_labels={"q": "b"}, label_include_templates=True), "labelWithoutSelector"),
        (KustomizeOptions(components=("nowhere",)), "component nowhere is not there"),
        (KustomizeOptions(replicas=(KustomizeReplica(name="web", count="many"),)), "no number"),
    ],
)
def test_what_kustomize_refuses_is_refused(options: KustomizeOptions, problem: str) -> None:
    with pytest.raises(RenderError, match=problem):
        apply(load(RICH.encode()), options, {}, lambda _: False)


def test_missing_components_can_be_ignored() -> None:
    options = KustomizeOptions(components=("nowhere", "here"), ignore_missing_components=True)
    assert apply({}, options, {}, lambda path: path == "here") == {"components": ["here"]}


def test_variables_are_substituted_in_images_and_labels_and_on_request_in_annotations() -> None:
    environment = {"ARGOCD_APP_NAME": "web", "ARGOCD_APP_REVISION_SHORT": "abc1234"}
    options = KustomizeOptions(
        images=("nginx:$ARGOCD_APP_REVISION_SHORT",),
        common_labels={"app": "$ARGOCD_APP_NAME"},
        common_annotations={"app": "$ARGOCD_APP_NAME"},
    )
    found = apply({}, options, environment, lambda _: True)
    assert found["images"] == [{"name": "nginx", "newTag": "abc1234"}]
    assert found["commonLabels"] == {"app": "web"}
    assert found["commonAnnotations"] == {"app": "$ARGOCD_APP_NAME"}
