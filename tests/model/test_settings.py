"""The settings file: what is read, every problem at once, and the published schema as an outside judge."""

from __future__ import annotations

import json
import re

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.doors.git import Repository
from gitops_bot.errors import UsageError
from gitops_bot.manifests import yaml
from gitops_bot.model.check import problems
from gitops_bot.model.settings import DEFAULT_ENVIRONMENTS, Cluster, Settings, seconds
from gitops_bot.render.settings import read_cluster, read_clusters, read_settings
from tests.schemas import FOLDER, PUBLISHED, schema_text

EVERYTHING = """\
version: 1
environments:
  development: {branch: develop, applications: argocd/development, cluster: dev}
  staging:     {branch: main, applications: argocd/staging, cluster: staging}
  production:  {tag: "v*.*.*", applications: argocd/production, cluster: prod, protected: true}
images:
  - repository: ghcr.io/acme/churn-api
    order: semver
    write:
      - {file: "k8s/helm/churn-mlops/values-{environment}.yaml", path: image.tag, digest: image.digest}
models:
  - name: churn-model
    write:
      - {file: "values-{environment}.yaml", version: model.version, path: model.path, data: model.dataVersion}
    thresholds: {auc: ">= 0.80"}
promotion:
  production: {from: staging, copy: [image.tag, model.*], gates: {statuses: [ci], healthy: true, soak: 30m},
               freeze: ["Fri 16:00-Mon 08:00 Europe/Berlin"], then: tag, level: patch}
commit: {mode: auto, message: "chore: update image tag"}
review:
  fail_on: [error]
  silence: [{signal: image-latest, apps: ["dev-*"], reason: "built nightly"}]
  templates: .gitops-bot/templates
fetch: {allow: ["https://charts.example.org", "oci://ghcr.io/acme"]}
render:
  kube_version: "1.36"
  timeout: 90s
  deadline: 15m
  kustomize: {build_options: [--enable-helm]}
  repositories: [https://github.com/acme/churn-mlops-prod]
  empty_generators: ["preview-*"]
agent:
  poll: 180s
  prune_guard: {percent: 50, objects: 10}
  people_managers: ["kubectl*", "before-first-apply", "k9s*", "[Ll]ens*", "node-fetch", "headlamp*", "dashboard", "Mozilla"]
"""
SCHEMA = json.loads((FOLDER / "settings.schema.json").read_text())


@pytest.fixture
def read(repository):
    def reads(text: str | None) -> Settings:
        made = repository({} if text is None else {".gitops-bot.yaml": text})
        with Repository(str(made.path)) as door:
            return read_settings(door.tree("HEAD"))

    return reads


def test_everything_the_reference_shows_is_read(read):
    settings = read(EVERYTHING)
    assert list(settings.environments) == ["development", "staging", "production"]
    assert settings.promotion["production"].source == "staging"
    assert settings.render.empty_generators == ("preview-*",)
    assert settings.models[0].write[0].data == "model.dataVersion"
    jsonschema.validate(yaml.load(EVERYTHING.encode()), SCHEMA)


@pytest.mark.parametrize("text", [None, "", "# nothing\n", "version: 1\n"])
def test_everything_is_optional(read, text):
    assert read(text) == Settings(environments=dict(DEFAULT_ENVIRONMENTS))


def test_every_problem_is_told_at_once_with_its_line_and_path(read):
    with pytest.raises(UsageError) as caught:
        read(
            "version: 2\n"
            "environments:\n"
            '  staging: {brnach: main, protected: "yes"}\n'
            "images:\n"
            "  - repository: 3\n"
            "    write: [{file: a.yaml}]\n"
            "render: {kube_version: 1.36, kustomize: {build_options: [--enable-exec]}}\n"
            "promotoin: {}\n"
        )
    lines = caught.value.message.splitlines()
    assert lines[0] == ".gitops-bot.yaml has 8 problems"
    assert [re.match(r"  line (\d+): ([^:]+):", line).groups() for line in lines[1:]] == [
        ("1", "version"),
        ("3", "environments.staging.brnach"),
        ("3", "environments.staging.protected"),
        ("5", "images[0].repository"),
        ("6", "images[0].write[0]"),
        ("7", "render.kube_version"),
        ("7", "render.kustomize.build_options[0]"),
        ("8", "promotoin"),
    ]
    assert "did you mean branch?" in lines[2]
    assert "write it in quotes" in lines[6]
    assert "did you mean promotion?" in lines[8]
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\na: 2\n", "line 2: the key a is there twice"),
        ("- x\n", "the file: is a list where a mapping is expected"),
        ("x: [\n", "cannot be read: line"),
        ("environments: {dev: {}}\n", "line 1: environments.dev: needs either branch or tag"),
        ("environments: {dev: {branch: main, tag: v1}}\n", "needs either branch or tag, not both"),
        ("promotion: {prod: {from: staging, copy: [x]}}\n", "promotion.prod: is no environment"),
        ("promotion: {staging: {from: staging, copy: [x]}}\n", "cannot be promoted from itself"),
        ("review: {templates: ../elsewhere}\n", "review.templates: leads out of the repository"),
        ("models: [{name: m, write: [{file: a.yaml}]}]\n", "names none of version, path and data"),
        ("agent: {poll: 3 minutes}\n", "agent.poll: "),
        ("fetch: {allow: [charts.example.org]}\n", "fetch.allow[0]: "),
    ],
)
def test_contradictions_and_bad_files_are_named(read, text, told):
    with pytest.raises(UsageError) as caught:
        read(text)
    assert told in caught.value.message


def test_a_link_out_of_the_repository_is_no_settings_file(repository):
    made = repository({"a": "x"})
    (made.path / ".gitops-bot.yaml").symlink_to("/etc/passwd")
    made.commit({})
    with Repository(str(made.path)) as door, pytest.raises(UsageError, match="is no file"):
        read_settings(door.tree("HEAD"))


def test_an_empty_list_allows_nothing_and_no_list_means_the_default(read):
    assert read("fetch: {allow: []}\n").fetch.allow == ()
    assert Settings().fetch.allow is None


def test_capability_snapshots_are_read_by_name(repository):
    made = repository(
        {
            ".gitops-bot/clusters/prod.yaml": 'kube_version: "1.35.5"\napi_versions: [v1, apps/v1]\n'
            "labels: {tier: prod}\n",
            ".gitops-bot/clusters/dev.yaml": 'kube_version: "1.36"\n',
            ".gitops-bot/clusters/README.md": "not one\n",
        }
    )
    with Repository(str(made.path)) as door:
        tree = door.tree("HEAD")
        assert list(read_clusters(tree)) == ["dev", "prod"]
        assert read_cluster(tree, "prod") == Cluster(
            kube_version="1.35.5", api_versions=("v1", "apps/v1"), labels={"tier": "prod"}
        )
        assert read_cluster(tree, "other") is None
        with pytest.raises(UsageError):
            read_cluster(tree, "../../secrets")


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_schemas_are_those_of_the_types(name):
    assert (FOLDER / name).read_text() == schema_text(name), "run make schemas"


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.sampled_from(["main", "error", "tag", "30m", "", "https://x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["version", "environments", "images", "render", "fetch", "allow", "branch", "tag", "write", "file", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(DOCUMENTS)
def test_problems_agree_with_msgspec_and_with_the_published_schema(document):
    """No problem exactly where msgspec converts, and exactly where a JSON schema validator sees nothing."""
    try:
        msgspec.convert(document, Settings)
        fine = True
    except msgspec.ValidationError:
        fine = False
    assert (not list(problems(document, Settings))) == fine
    assert jsonschema.Draft202012Validator(SCHEMA).is_valid(document) == fine


@given(st.integers(0, 50), st.integers(0, 59))
def test_durations_add_up(hours, minutes):
    assert seconds(f"{hours}h{minutes}m") == hours * 3600 + minutes * 60
