"""What is said of a render: functions that change by themselves, and what renders as it stands."""

from __future__ import annotations

import io
import tarfile

import pytest

from gitops_bot.errors import RenderError
from gitops_bot.model.application import HelmOptions, Source
from gitops_bot.render.engines.prepare import Context, inspect, plan, prepare
from gitops_bot.render.prepared import Prepared
from tests.render.sources import Shelf
from tests.render.trees import tree_of

CHART = {"Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n"}


def noted(files: dict[str, str | bytes], **options: bool) -> Prepared:
    helm = HelmOptions(release_name="r", **options)
    return prepare(Source(path=".", helm=helm), tree_of({**CHART, **files}), Context(fetcher=Shelf()))


@pytest.mark.parametrize(
    "action",
    [
        "{{ randAlphaNum 5 }}",
        "{{- $ca := genCA `x` 365 -}}",
        "{{ now | date `2006` }}",
        "{{ .Values.x | default (uuidv4) }}",
        "{{ if not (lookup `v1` `Secret` `a` `b`) }}x{{ end }}",
        "{{ /* a comment */ }}{{ htpasswd `a` `b` }}",
        "{{/* one */}}{{ now }}{{/* two */}}",
        '{{ printf "%s" (randNumeric 3) }}',
    ],
)
@pytest.mark.parametrize("place", ["templates/x.yaml", "templates/_helpers.tpl", "charts/s/templates/deep/y.yaml"])
def test_changing_functions_make_a_render_unstable(action: str, place: str) -> None:
    assert noted({place: action, "charts/s/Chart.yaml": "apiVersion: v2\nname: s\nversion: 1.0.0\n"}).unstable


@pytest.mark.parametrize(
    "text",
    [
        "{{/* now and randAlphaNum */}}",
        "{{- /* uuidv4\n over lines */ -}}",
        '{{ fail "do it now" }}',
        "{{ .Values.now }} {{ $now }} {{ .lookup }} {{ include `x.now` . }}",
        "now: randAlphaNum lookup",
        "# {{ .Values.generate }} genCA",
        "{{ nowhere }} {{ randAlphaNumber }}",
    ],
)
def test_comments_texts_and_names_do_not(text: str) -> None:
    assert noted({"templates/x.yaml": text}).unstable == ""


def test_files_that_are_no_templates_do_not_count() -> None:
    assert noted({"README.md": "{{ now }}", "files/x": "{{ now }}", "values.yaml": "a: '{{ now }}'"}).unstable == ""


def test_archived_charts_are_looked_into() -> None:
    assert noted({"charts/s-1.0.0.tgz": archive({"s/templates/x.yaml": b"{{ now }}"})}).unstable
    assert noted({"charts/s-1.0.0.tgz": archive({"s/templates/x.yaml": b"{{ .x }}"})}).unstable == ""
    with pytest.raises(RenderError, match="http://x/y"):
        noted({"charts/s-1.0.0.tgz": archive({"s/values.schema.json": b'{"$ref": "http://x/y"}'})})
    for path in ("../x", "/x", "s/../../x"):
        with pytest.raises(RenderError, match="archived chart holds the path"):
            noted({"charts/s-1.0.0.tgz": archive({path: b""})})


def test_an_archive_that_unpacks_to_very_much_is_refused() -> None:
    with pytest.raises(RenderError, match="unpacks to more than 100 MiB"):
        noted({"charts/s-1.0.0.tgz": archive({f"s/{n}": bytes(30 << 20) for n in range(4)})})


def archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "warning"),
    [
        ("a: ENC[AES256_GCM,data:abc=,iv:x,tag:y,type:str]\n", "encrypted with SOPS"),
        ("password: x\nsops:\n  version: 3.8.1\n", "encrypted with SOPS"),
        ("a: <path:secret/data/app#password>\n", "vault placeholders"),
        ("a: ref+vault://secret/app#/password\n", "vault placeholders"),
    ],
)
def test_encrypted_files_and_placeholders_are_named(content: str, warning: str) -> None:
    found = noted({"secrets/values.yaml": content})
    assert len(found.warnings) == 1 and found.warnings[0].startswith("secrets/values.yaml")
    assert warning in found.warnings[0]


@pytest.mark.parametrize("content", ["a: <html>", "the sops: tool", "see <path: x>", "a: ref+x\n"])
def test_look_alikes_are_not(content: str) -> None:
    assert noted({"values.yaml": content}).warnings == ()


def test_a_schema_may_refer_to_itself() -> None:
    schema = '{"$defs": {"a": {}}, "properties": {"x": {"$ref": "#/$defs/a"}}}'
    assert noted({"values.schema.json": schema}).warnings == ()
    assert noted({"values.schema.json": '{"$ref": "x.json"}'}, skip_schema_validation=True).warnings == ()


def test_a_plan_has_the_same_key_and_says_less() -> None:
    tree = tree_of({**CHART, "templates/x.yaml": "{{ now }}"})
    context = Context(app_name="a", fetcher=Shelf())
    short = plan(Source(path="."), tree, context)
    assert short.unstable == "" and inspect(short) == prepare(Source(path="."), tree, context)
    assert short.key({}) == inspect(short).key({})
