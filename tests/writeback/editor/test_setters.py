"""What an Application sets, strongest first; that order is Helm's own, asked of the real one."""

from __future__ import annotations

import subprocess

import pytest

from gitops_bot.writeback.editor.address import Document, parse, parse_path
from gitops_bot.writeback.editor.edit import Edit, edit
from gitops_bot.writeback.editor.problems import EditRefused
from gitops_bot.writeback.editor.setters import helm_path, helm_setters, image_setters

APPLICATION = b"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: churn
spec:
  source:
    path: chart
    helm:
      valueFiles: [values-staging.yaml]
      parameters:
        - name: image.tag
          value: v1
        - name: replicaCount
          value: "2"
        - name: image.tag
          value: v2
          forceString: true
      values: |
        # inline
        image:
          tag: v3
        list: [a, b]
"""


def told(setters):
    return [(each.where, each.covers, str(each.address), each.line, each.text) for each in setters]


def test_the_strongest_comes_first():
    assert told(helm_setters(APPLICATION, parse_path("image.tag"))) == [
        ("parameters", "same", "spec.source.helm.parameters[2].value", 16, "v2"),
        ("parameters", "same", "spec.source.helm.parameters[0].value", 12, "v1"),
        ("values", "same", "spec.source.helm.values | image.tag", 21, "v3"),
    ]


def test_an_address_leads_to_the_line_and_can_be_edited():
    for setter in helm_setters(APPLICATION, parse_path("image.tag")):
        edited = edit(APPLICATION, [Edit(address=parse(str(setter.address)), value="v9")])
        assert edited.outcomes[0].line == setter.line
        assert edited.outcomes[0].old == setter.text


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("replicaCount", [("parameters", "same", "spec.source.helm.parameters[name=replicaCount].value", 14, "2")]),
        ("image", [("parameters", "below", "spec.source.helm.parameters[2].value", 16, "v2"),
                   ("parameters", "below", "spec.source.helm.parameters[0].value", 12, "v1"),
                   ("values", "below", "spec.source.helm.values | image", 21, None)]),
        ("image.tag.x", [("parameters", "above", "spec.source.helm.parameters[2].value", 16, "v2"),
                         ("parameters", "above", "spec.source.helm.parameters[0].value", 12, "v1"),
                         ("values", "above", "spec.source.helm.values | image.tag", 21, "v3")]),
        ("list[0]", [("values", "same", "spec.source.helm.values | list[0]", 22, "a")]),
        ("list[7]", [("values", "above", "spec.source.helm.values | list", 22, None)]),
        ("other", []),
        ("image.digest", []),
    ],
)  # fmt: skip
def test_what_is_around_and_below_is_told(path, found):
    assert told(helm_setters(APPLICATION, parse_path(path))) == found


def test_the_values_object_replaces_the_text():
    data = APPLICATION.replace(b"      values: |", b"      valuesObject:\n        image: {tag: v4}\n      values: |")
    found = told(helm_setters(data, parse_path("image.tag")))
    assert found[2:] == [("valuesObject", "same", "spec.source.helm.valuesObject.image.tag", 19, "v4")]
    empty = APPLICATION.replace(b"      values: |", b"      valuesObject:\n      values: |")
    assert [each.where for each in helm_setters(empty, parse_path("image.tag"))][2:] == ["values"]


def test_sources_and_documents_are_told_apart():
    data = b"""\
kind: AppProject
metadata: {name: p}
---
kind: Application
metadata: {name: two, namespace: argocd}
spec:
  sources:
  - ref: values
  - helm:
      parameters: [{name: image.tag, value: v1}]
---
kind: ApplicationSet
metadata: {name: set}
spec:
  template:
    spec:
      source:
        helm: {valuesObject: {image: {tag: v2}}}
"""
    found = helm_setters(data, parse_path("image.tag"))
    assert [(str(each.address), each.source, each.text) for each in found] == [
        ("1:spec.sources[1].helm.parameters[name=image.tag].value", 1, "v1"),
        ("2:spec.template.spec.source.helm.valuesObject.image.tag", None, "v2"),
    ]
    for document in (Document("Application", "two"), Document("Application", "two", "argocd"), Document(number=1)):
        assert helm_setters(data, parse_path("image.tag"), document=document) == found[:1]
    assert helm_setters(data, parse_path("image.tag"), document=Document("Application", "two", "other")) == ()


def test_an_override_file_is_a_source_by_itself():
    data = b"helm:\n  parameters:\n  - name: image.tag\n    value: v1\n"
    assert told(helm_setters(data, parse_path("image.tag"))) == [
        ("parameters", "same", "helm.parameters[name=image.tag].value", 4, "v1")
    ]


def test_values_from_merge_keys_count_and_quoted_texts_can_be_read():
    data = b"x: &x {tag: v1}\nhelm: {valuesObject: {image: {<<: *x}}}\n"
    assert [(each.covers, each.line, each.text) for each in helm_setters(data, parse_path("image.tag"))] == [
        ("same", 1, "v1")
    ]
    data = b'helm:\n  values: "image:\\n  tag: v1\\n"\n'
    assert [(each.covers, each.line, each.text) for each in helm_setters(data, parse_path("image.tag"))] == [
        ("same", 2, "v1")
    ]


def test_parameters_from_files_are_told_without_their_content():
    data = b"helm:\n  fileParameters:\n  - name: config\n    path: c.json\n"
    assert told(helm_setters(data, parse_path("config"))) == [
        ("fileParameters", "same", "helm.fileParameters[name=config].path", 4, None)
    ]


def test_a_text_that_is_no_yaml_is_refused_by_line():
    with pytest.raises(EditRefused, match=r"line [34]: helm.values: in the text: "):
        helm_setters(b"helm:\n  values: |\n    a: {\n    b\n", parse_path("a"))


@pytest.mark.parametrize(
    ("name", "path"),
    [("image.tag", "image.tag"), (r"a\.b.c", r"a\.b.c"), ("l[0].x", "l[0].x"), ("l[0][1]", "l[0][1]"), ("a", "a")],
)
def test_names_are_read_as_helm_reads_them(name, path):
    assert helm_path(name) == parse_path(path)


@pytest.mark.parametrize("name", ["l[x].a", "l[", "", "l[-1]"])
def test_names_that_helm_cannot_read_set_nothing(name):
    assert helm_path(name) is None


def test_image_overrides_are_found_by_name():
    data = b"""\
kind: Application
spec:
  source:
    kustomize:
      images:
      - ghcr.io/acme/api:v1
      - web=ghcr.io/acme/web:v2
      - ghcr.io/acme/api@sha256:00
      - localhost:5000/x
"""
    assert told(image_setters(data, "ghcr.io/acme/api")) == [
        ("kustomize.images", "same", "spec.source.kustomize.images[2]", 8, "ghcr.io/acme/api@sha256:00"),
        ("kustomize.images", "same", "spec.source.kustomize.images[0]", 6, "ghcr.io/acme/api:v1"),
    ]
    assert [each.text for each in image_setters(data, "web")] == ["web=ghcr.io/acme/web:v2"]
    assert [each.text for each in image_setters(data, "localhost:5000/x")] == ["localhost:5000/x"]


def test_the_order_is_helms(tmp_path, helm):
    """Parameters are `--set`, inline values the last `--values`, as Argo CD hands them to Helm."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: c\nversion: 0.1.0\n")
    (tmp_path / "templates" / "x.yaml").write_text("tag: {{ .Values.image.tag }}\nlist: {{ toJson .Values.list }}\n")
    (tmp_path / "staging.yaml").write_text("image: {tag: file}\nlist: [x, y, z]\n")
    (tmp_path / "inline.yaml").write_text("image: {tag: v3}\nlist: [a, b]\n")
    base = [helm, "template", "r", str(tmp_path), "--values", str(tmp_path / "staging.yaml")]
    inline = ["--values", str(tmp_path / "inline.yaml")]
    both = subprocess.run([*base, "--set", "image.tag=v1", *inline], capture_output=True, text=True, check=True).stdout
    assert "tag: v1" in both
    assert 'list: ["a","b"]' in both
    alone = subprocess.run([*base, *inline], capture_output=True, text=True, check=True).stdout
    assert "tag: v3" in alone
