"""No secret leaves the program, whatever it is asked for; yet each changed Secret is shown as changed."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.canaries import REPOSITORY, Canaries, encoded, outputs_of, plant

ROOT = Path(__file__).parent.parent
HASHED = re.compile(rb"generated-[2456789bcdfghkmt]{10}")
"""A name with kustomize's hash over its values."""


@pytest.fixture
def run(tmp_path: Path):
    """Runs the program in a repository with canaries in its environment; its temporary files and cache are kept."""
    places = {name: tmp_path / name for name in ("temporary", "cache", "out", "home")}
    for place in places.values():
        place.mkdir()

    def start(birds: Canaries, directory: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        token = birds.make("GITHUB_TOKEN", shape="ghs_{}")
        environment = {
            **os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(places["temporary"]), "GITHUB_TOKEN": token,
            "INPUT_TOKEN": token, "HOME": str(places["home"]), "XDG_CACHE_HOME": str(places["home"]),
        }  # fmt: skip
        return subprocess.run(
            [sys.executable, "-m", "gitops_bot", *arguments],
            cwd=directory,
            env=environment,
            capture_output=True,
            check=False,
        )

    start.places = tuple(places.values())
    start.places_by_name = places
    return start


@pytest.fixture
def planted(repository, helm, kustomize):
    """A repository of canaries, with a branch ``changed`` on which every one of them is another."""
    birds = Canaries()
    checkout = repository(plant(birds, change="old"))
    checkout.git("remote", "add", "origin", REPOSITORY)
    checkout.git("switch", "--quiet", "--create", "changed")
    checkout.commit(plant(birds, change="new"))
    return birds, checkout


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
@pytest.mark.parametrize("debug", [(), ("--debug",)], ids=["quiet", "debug"])
def test_diff_is_silent(planted, run, form, debug):
    birds, checkout = planted
    out = run.places_by_name["out"] / "diff"
    ended = run(birds, checkout.path, *debug, "diff", "--base", "main", "--head", "changed", "--format", form,
                "--cache", str(run.places_by_name["cache"]), "--output", str(out))  # fmt: skip
    assert ended.returncode == 0, ended.stderr.decode()
    birds.assert_silent(outputs_of(ended, *run.places))
    assert b"<secret, changed>" in out.read_bytes()
    assert not any(HASHED.search(data) for data in outputs_of(ended, *run.places).values())
    if form == "json":
        check_changes(json.loads(out.read_bytes()))


def check_changes(report):
    changes = {(change["kind"], change["name"]): change for change in report["changes"]}

    def after(kind, name):
        return {field["path"]: field.get("after") for field in changes[kind, name]["fields"]}

    assert after("Secret", "plain")["data.a"] == "<secret, changed>"
    assert after("Secret", "plain")["data.binary"] == "<secret, changed>"
    assert after("Secret", "text")["data.b"] == "<secret, changed>"
    assert after("Secret", "from-chart")["data.c"] == "<secret, changed>"
    generated = changes["Secret", "generated-<new-hash>"]
    assert generated["renamedFrom" if "renamedFrom" in generated else "renamed_from"] == "generated-<hash>"
    assert after("Secret", "generated-<new-hash>")["data.password"] == "<secret, changed>"
    assert "generated-<new-hash>" in changes["Pod", "user"]["diff"]
    assert after("ConfigMap", "settings")["data.REDIS_PASSWORD"] == "<secret, changed>"
    assert after("ConfigMap", "settings")["data.remote"] == "https://bob:<secret, changed>@git.example.org/x"
    assert "level=info" in changes["ConfigMap", "settings"]["diff"]
    assert after("Database", "d") == {"spec.password": "<secret, changed>"}
    assert after("Object", "wrapped") == {"spec.forProvider.manifest.stringData.some": "<secret, changed>"}
    assert len(changes["Deployment", "from-chart"]["noise"]) == 2
    assert changes["Deployment", "api"]["diff"].count("<secret, changed>") >= 8


def test_the_plan_is_not_made_from_a_secret(planted, run):
    birds, checkout = planted
    ended = run(birds, checkout.path, "diff", "--base", "main", "--head", "changed", "--format", "json")
    plans = {target["name"]: target["plan"] for target in json.loads(ended.stdout)["targets"]}
    checkout.git("switch", "--quiet", "main")
    checkout.git("switch", "--quiet", "--create", "again")
    checkout.commit(plant(birds, change="third"))
    third = run(birds, checkout.path, "diff", "--base", "main", "--head", "again", "--format", "json")
    assert {target["name"]: target["plan"] for target in json.loads(third.stdout)["targets"]} == plans
    assert all(plans.values())


@pytest.mark.parametrize("branch", ["main", "changed"])
def test_render_is_silent(planted, run, branch):
    birds, checkout = planted
    ended = run(birds, checkout.path, "render", "--rev", branch, "--cache", str(run.places_by_name["cache"]))
    assert ended.returncode == 0, ended.stderr.decode()
    birds.assert_silent(outputs_of(ended, *run.places))
    assert b"generated-<hash>" in ended.stdout
    assert not any(HASHED.search(data) for data in outputs_of(ended, *run.places).values())
    assert b"automountServiceAccountToken: false" in ended.stdout
    assert b"secretName: plain" in ended.stdout


def chart(birds, template, values=""):
    return plant(birds, change="old") | {
        "chart/templates/broken.yaml": template,
        **({"chart/values.yaml": values} if values else {}),
    }


@pytest.mark.parametrize(
    "template",
    [
        "{{ fail .Values.adminPassword }}",
        "{{ fail (.Values.adminPassword | b64enc) }}",
        "{{ fail (.Values.adminPassword | sha256sum) }}",
        "{{ fail (.Values | toYaml) }}",
        "{{ fail (.Values | toJson) }}",
        '{{ fail (printf "%q" .Values.database.password) }}',
        '{{ fail (cat "for https://bob:" .Values.inline.apiToken "@host" | nospace) }}',
        "a: b: {{ .Values.adminPassword }}\n",
        "kind: [{{ .Values.adminPassword }}\n",
        "{{ .Values.adminPassword.deeper }}",
        '{{ index .Values.adminPassword "x" }}',
        "{{ include .Values.adminPassword . }}",
        "{{ required .Values.inline.apiToken .Values.missing }}",
        '{{ tpl (printf "{{ .%s" .Values.adminPassword) . }}',
    ],
)
def test_errors_of_helm_are_silent(repository, helm, kustomize, run, template):
    birds = Canaries()
    checkout = repository(chart(birds, template))
    checkout.git("remote", "add", "origin", REPOSITORY)
    for arguments in (("render",), ("--debug", "diff", "--base", "HEAD", "--format", "markdown")):
        checkout.write({"README": "x"})
        ended = run(birds, checkout.path, *arguments, "--cache", str(run.places_by_name["cache"]))
        birds.assert_silent(outputs_of(ended, *run.places))
    ended = run(birds, checkout.path, "render", "--app", "chart")
    assert ended.returncode == 3
    birds.assert_silent({"stderr": ended.stderr})


KUSTOMIZATIONS = {
    "no such target": "resources: [a.yaml]\npatches:\n- target: {kind: Secret}\n  patch: |-\n    apiVersion: v1\n    kind: Secret\n"
    "    metadata: {name: other}\n    stringData: {password: BIRD}\n- patch: |-\n    apiVersion: v1\n    kind: Secret\n"
    "    metadata: {name: none}\n    stringData: {some: BIRD}\n",
    "no patch": "resources: [a.yaml]\npatches:\n- patch: |-\n    password: BIRD\n",
    "broken patch": "resources: [a.yaml]\npatches:\n- patch: |-\n    apiVersion: v1\n   password: BIRD\n",
    "json patch": "resources: [a.yaml]\npatches:\n- target: {kind: Secret}\n  patch: |-\n    - {op: replace, path: /stringData/x/y, value: BIRD}\n",
    "literal": "secretGenerator:\n- name: s\n  literals: [BIRD]\n",
    "merge": "resources: [a.yaml]\nsecretGenerator:\n- name: s\n  behavior: merge\n  literals: [a=BIRD]\n",
    "wrong key": 'secretGenerator:\n- name: s\n  literals: ["not a key=BIRD"]\n',
    "unknown field": "secretGenerator:\n- name: s\n  litterals: [a=BIRD]\npassword: BIRD\n",
    "envs": "secretGenerator:\n- name: s\n  envs: [.env]\n",
    "broken yaml": "secretGenerator:\n- name: s\n  literals: [a=BIRD\n",
    "resource": "resources: ['https://bob:BIRD@git.example.org/acme/x']\n",
    "missing": "resources: ['git::https://x:BIRD@git.example.org/acme/x//p?ref=v1']\n",
}


@pytest.mark.parametrize("name", KUSTOMIZATIONS)
def test_errors_of_kustomize_are_silent(repository, kustomize, run, name):
    birds = Canaries()
    value = birds.make(name)
    checkout = repository({
        "k/kustomization.yaml": KUSTOMIZATIONS[name].replace("BIRD", value),
        "k/a.yaml": f"apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\nstringData: {{some: {birds.make('Secret')}}}\n",
        "k/.env": f"a={birds.make('env file')}\n=x\n",
    })  # fmt: skip
    ended = run(birds, checkout.path, "render")
    assert ended.returncode in (0, 3) and (ended.returncode or name in ("unknown field", "envs", "wrong key"))
    birds.assert_silent(outputs_of(ended, *run.places))
    birds.assert_silent(outputs_of(run(birds, checkout.path, "--debug", "diff", "--base", "HEAD"), *run.places))


BROKEN = {
    "yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData:\n  some: BIRD\n bad: BIRD\n",
    "alias": "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {some: *BIRD}\n",
    "tab": "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData:\n\tsome: BIRD\n",
    "no kind": "apiVersion: v1\nmetadata: {name: a}\nstringData: {some: BIRD}\nkind:\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_errors_near_a_secret_are_silent(repository, run, name):
    birds = Canaries()
    checkout = repository({"k/ok.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"} | {
        "apps/a.yaml": f"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: a}}\nspec:\n  destination: {{namespace: x}}\n"
        f"  source: {{repoURL: '{REPOSITORY}', path: k}}\n",
        "k/broken.yaml": BROKEN[name].replace("BIRD", birds.make(name)),
    })  # fmt: skip
    checkout.git("remote", "add", "origin", REPOSITORY)
    for arguments in (("render",), ("diff", "--base", "HEAD"), ("apps",)):
        birds.assert_silent(outputs_of(run(birds, checkout.path, *arguments), *run.places))


def test_credentials_in_urls_are_silent(repository, run):
    birds = Canaries()
    remote = f"https://bob:{birds.make('origin')}@git.example.org/acme/shop"
    chart_url = f"https://bob:{birds.make('chart repository')}@charts.example.org"
    other = f"https://{birds.make('token as user')}@git.example.org/acme/other"
    checkout = repository({
        "a.yaml": f"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: a}}\nspec:\n  destination: {{namespace: x}}\n"
        f"  source: {{repoURL: '{chart_url}', chart: x, targetRevision: 1.0.0}}\n",
        "b.yaml": f"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: b}}\nspec:\n  destination: {{namespace: x}}\n"
        f"  source: {{repoURL: '{other}', path: x, targetRevision: main}}\n",
    })  # fmt: skip
    checkout.git("remote", "add", "origin", remote)
    for arguments in (
        ("render",),
        ("--debug", "diff", "--base", "HEAD"),
        ("apps",),
        ("fetch",),
        ("apps", "--format", "json"),
    ):
        birds.assert_silent(outputs_of(run(birds, checkout.path, *arguments), *run.places))


# -- the search itself ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["", "a", "bc", "def"])
def test_the_search_finds_every_form(before):
    birds = Canaries()
    value = birds.make("here")
    forms = [value, value[::-1], value.encode().hex(), hashlib.sha256(value.encode()).hexdigest(), encoded(before + value + "x"),
             base64.b64encode(hashlib.md5(value.encode()).digest()).decode()]  # fmt: skip
    assert all(birds.found_in(f"x {form} y") for form in forms)
    assert birds.found_in("nothing") == []
