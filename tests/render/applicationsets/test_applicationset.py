"""ApplicationSets in the shapes people use, expanded over real trees with the real engine of Go templates."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from gitops_bot.doors.git import Repository
from gitops_bot.errors import FetchError
from gitops_bot.model.tree import Tree
from gitops_bot.render.applicationsets.applicationset import Expansion, expand
from gitops_bot.render.applicationsets.gotemplate import GoTemplates
from gitops_bot.render.definitions import find_definitions

OWN = "https://github.com/acme/deploy.git"
HEAD = "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata:\n  name: set\n  namespace: argocd\n"
Expand = Callable[..., Expansion]


class NothingElsewhere:
    """No source from elsewhere can be had."""

    def git(self, url: str, revision: str) -> Tree:
        raise FetchError(f"{url} at {revision} is not to be had", hint="gitops-bot fetch")

    def chart(self, repository: str, name: str, version: str) -> Tree:
        raise AssertionError("generators read no charts")

    def file(self, url: str) -> bytes:
        raise AssertionError("generators read no URLs")


@pytest.fixture(scope="module")
def engine(helm: str) -> GoTemplates:
    return GoTemplates([helm])


@pytest.fixture
def expansion(repository: Callable[..., Any], engine: GoTemplates) -> Expand:
    """Expand the ApplicationSet whose ``spec`` is given, in a repository with other files beside it."""

    def run(spec: str, files: Mapping[str, str] | None = None, **options: Any) -> Expansion:
        text = HEAD + "spec:\n" + textwrap.indent(textwrap.dedent(spec).lstrip("\n"), "  ")
        made = repository({"argocd/set.yaml": text, **(files or {})}, name=options.pop("name", "repository"))
        with Repository(str(made.path)) as opened:
            tree = opened.tree("HEAD")
            found = find_definitions(tree)
            assert found.problems == ()
            (definition,) = found.application_sets
            options = {"render_templates": engine, **options}
            return expand(definition, tree=tree, is_own=OWN.__eq__, fetcher=NothingElsewhere(), **options)

    return run


def names(result: Expansion) -> list[str]:
    return [application.name for application in result.applications]


def reasons(result: Expansion) -> list[str]:
    assert all(problem.id == "argocd/set.yaml#set" and problem.failed for problem in result.problems)
    return [problem.reason for problem in result.problems]


TEMPLATE = """
template:
  metadata:
    name: '{{path.basename}}'
  spec:
    project: default
    source: {repoURL: https://github.com/acme/deploy.git, targetRevision: HEAD, path: '{{path}}'}
    destination: {server: https://kubernetes.default.svc, namespace: '{{path.basename}}'}
"""
GO_TEMPLATE = TEMPLATE.replace("{{path}}", "{{ .path.path }}").replace("{{path.basename}}", "{{ .path.basename }}")
ADDONS = """
generators:
- git:
    repoURL: https://github.com/acme/deploy.git
    revision: HEAD
    directories:
    - path: addons/*
"""
FILES = {
    f"addons/{name}/kustomization.yaml": "resources: []\n" for name in ("argo-rollouts", "prometheus", "Helm_Guest")
}


@pytest.mark.parametrize("spec", [ADDONS + TEMPLATE, "goTemplate: true\n" + ADDONS + GO_TEMPLATE])
def test_cluster_addons_by_directory(expansion: Expand, spec: str) -> None:
    result = expansion(spec, FILES)
    assert reasons(result) == []
    assert names(result) == ["Helm_Guest", "argo-rollouts", "prometheus"]
    first = result.applications[1]
    assert first.sources[0].path == "addons/argo-rollouts"
    assert first.spec.destination.namespace == "argo-rollouts"
    assert first.metadata.namespace == "argocd"
    assert result.documents[1]["kind"] == "Application"


def test_matrix_of_clusters_and_directories(expansion: Expand) -> None:
    spec = """
    goTemplate: true
    goTemplateOptions: [missingkey=error]
    generators:
    - matrix:
        generators:
        - list:
            elements:
            - {cluster: eu, url: https://eu.example.org, values: {replicas: 3}}
            - {cluster: us, url: https://us.example.org, values: {replicas: 2}}
        - git:
            repoURL: https://github.com/acme/deploy.git
            revision: main
            directories: [{path: addons/*}, {path: addons/Helm_Guest, exclude: true}]
            values: {namespace: 'addon-{{ .path.basename }}-{{ index .path.segments 0 | upper }}'}
    template:
      metadata:
        name: '{{ .cluster }}-{{ .path.basename | trunc 8 | trimSuffix "-" }}'
        labels: {'acme.org/{{ .cluster }}': '{{ normalize .path.basename }}'}
      spec:
        project: default
        source:
          repoURL: https://github.com/acme/deploy.git
          path: '{{ .path.path }}'
          helm:
            valuesObject: {cluster: '{{ .cluster }}', fixed: 3}
        destination: {server: '{{ .url }}', namespace: '{{ .path.basename }}'}
    """
    result = expansion(spec, FILES)
    # A first generator's params are filled into the second one before it runs: .path is not known yet.
    assert result.applications == ()
    assert "map has no entry for a key of .path.basename" in reasons(result)[0]
    spec = spec.replace(
        "            values: {namespace: 'addon-{{ .path.basename }}-{{ index .path.segments 0 | upper }}'}\n", ""
    )
    result = expansion(spec, FILES, name="again")
    assert names(result) == ["eu-argo-rol", "eu-promethe", "us-argo-rol", "us-promethe"]
    first = result.applications[0]
    assert first.metadata.labels == {"acme.org/eu": "argo-rollouts"}
    assert first.sources[0].helm is not None
    assert first.sources[0].helm.values_object == {"cluster": "eu", "fixed": 3}
    assert first.spec.destination.server == "https://eu.example.org"


def test_clusters_in_config_files(expansion: Expand) -> None:
    spec = """
    generators:
    - git:
        repoURL: https://github.com/acme/deploy.git
        revision: HEAD
        files: [{path: "cluster-config/**/config.json"}]
    template:
      metadata: {name: '{{cluster.name}}-guestbook'}
      spec:
        project: default
        source: {repoURL: https://github.com/acme/deploy.git, targetRevision: HEAD, path: 'apps/{{path[1]}}'}
        destination: {server: '{{cluster.address}}', namespace: guestbook}
    """
    files = {
        "cluster-config/engineering/dev/config.json": '{"cluster": {"name": "dev", "address": "https://1.2.3.4"}}',
        "cluster-config/engineering/prod/config.json": '{"cluster": {"name": "prod", "address": "https://2.4.6.8"}}',
    }
    result = expansion(spec, files)
    assert reasons(result) == []
    assert names(result) == ["dev-guestbook", "prod-guestbook"]
    assert result.applications[1].spec.destination.server == "https://2.4.6.8"
    assert result.applications[1].sources[0].path == "apps/engineering"


def test_go_templates_over_config_files(expansion: Expand) -> None:
    spec = """
    goTemplate: true
    generators:
    - git: {repoURL: 'https://github.com/acme/deploy.git', files: [{path: 'envs/*.yaml'}]}
    template:
      metadata:
        name: 'web-{{ index .path.segments 0 }}-{{ trimSuffix ".yaml" .path.filename }}'
      spec:
        project: '{{ default "default" .project }}'
        sources:
        - repoURL: https://charts.example.org
          chart: web
          targetRevision: '{{ .chart.version }}'
          helm:
            values: |
              {{- range .hosts }}
              - {{ . }}
              {{- end }}
        destination: {name: '{{ .cluster | default "in-cluster" }}'}
    templatePatch: |
      spec:
        project: not-allowed-to-move
        {{- if .autoSync }}
        syncPolicy: {automated: {prune: {{ .prune }}}}
        {{- end }}
      metadata:
        annotations: {tier: {{ .tier | quote }}}
    """
    files = {
        "envs/dev.yaml": (
            "chart: {version: 1.2.3}\nhosts: [a.example, b.example]\nautoSync: true\nprune: true\ntier: '1'\n"
        ),
        "envs/prod.yaml": "chart: {version: 1.2.0}\nhosts: []\nproject: prod\ntier: '2'\n",
    }
    result = expansion(spec, files)
    assert reasons(result) == []
    dev, prod = result.applications
    assert (dev.name, prod.name) == ("web-envs-dev", "web-envs-prod")
    assert dev.sources[0].helm is not None
    assert dev.sources[0].helm.values == "\n- a.example\n- b.example\n"
    assert dev.spec.sync_policy == {"automated": {"prune": True}}
    assert prod.spec.sync_policy is None
    assert (dev.spec.project, prod.spec.project) == ("default", "prod")
    assert prod.metadata.annotations == {"tier": "2"}


def test_a_generators_own_template_comes_first(expansion: Expand) -> None:
    spec = """
    generators:
    - list:
        elements: [{cluster: a}]
        template:
          metadata: {}
          spec: {project: own, source: {repoURL: '', path: 'own/{{cluster}}'}, destination: {}}
    - list:
        elements: [{cluster: b}]
    template:
      metadata: {name: 'app-{{cluster}}'}
      spec:
        project: default
        source: {repoURL: 'https://x.example', path: apps, targetRevision: v1}
        destination: {namespace: there}
    """
    result = expansion(spec)
    assert reasons(result) == []
    own, other = result.applications
    assert (own.spec.project, own.sources[0].path, own.sources[0].target_revision) == ("own", "own/a", "v1")
    assert (other.spec.project, other.sources[0].path, own.spec.destination.namespace) == ("default", "apps", "there")


def test_nothing_generated_is_a_problem_unless_declared(expansion: Expand) -> None:
    spec = ADDONS + TEMPLATE
    assert reasons(expansion(spec)) == ["the git generator yields nothing"]
    assert reasons(expansion("generators: []\n" + TEMPLATE, name="none")) == ["the ApplicationSet has no generators"]
    assert expansion(spec, name="declared", may_be_empty=True) == Expansion()


def test_two_of_one_name_are_a_problem(expansion: Expand) -> None:
    spec = "generators: [{list: {elements: [{path.basename: one}, {path.basename: one}, {path.basename: two}]}}]\n"
    result = expansion(spec + TEMPLATE)
    assert names(result) == ["one", "two"]
    assert reasons(result) == ["two generated Applications have the name one; the first one is shown"]


def test_one_broken_generator_hides_no_other(expansion: Expand) -> None:
    elsewhere = "- git: {repoURL: https://elsewhere.example/x.git, directories: [{path: '*'}]}\n- clusters: {}\n"
    result = expansion(ADDONS + elsewhere + TEMPLATE, FILES)
    assert len(result.applications) == 3
    fetch, clusters = reasons(result)
    assert fetch == "https://elsewhere.example/x.git at HEAD is not to be had (gitops-bot fetch)"
    assert clusters.startswith("the clusters generator needs a capability snapshot")


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (
            "goTemplateOptions: [missingkey=error]\n" + GO_TEMPLATE.replace("{{ .path.path }}", "{{ .nope | upper }}"),
            'template "{{ .nope | upper }}": map has no entry for key "nope"',
        ),
        ("goTemplateOptions: [missingkey=maybe]\n" + GO_TEMPLATE, "unknown goTemplateOptions entry missingkey=maybe"),
        (GO_TEMPLATE.replace("{{ .path.path }}", "{{ lookup 1 }}"), 'function "lookup" not defined'),
        (GO_TEMPLATE + 'templatePatch: "{{ .path.path }}: ["\n', "the rendered templatePatch is not YAML"),
        (GO_TEMPLATE + 'templatePatch: "[1]"\n', "the rendered templatePatch is not a mapping"),
        (
            GO_TEMPLATE + 'templatePatch: "spec: {source: {helm: {parameters: no}}}"\n',
            "spec.source.helm.parameters: expected array",
        ),
        (GO_TEMPLATE + 'templatePatch: "metadata: {name: null}"\n', "a generated Application has no name"),
        ("template: {spec: {}}\n", "the template has no metadata"),
    ],
)
def test_problems_name_what_is_wrong(expansion: Expand, spec: str, reason: str) -> None:
    result = expansion("goTemplate: true\n" + ADDONS + spec, FILES)
    assert result.applications == ()
    assert reason in reasons(result)[0]


def test_an_endless_template_is_a_problem(expansion: Expand, helm: str) -> None:
    from gitops_bot.doors.process import Limits

    spec = GO_TEMPLATE.replace("{{ .path.path }}", "{{ range until 2000000000 }}x{{ end }}")
    engine = GoTemplates([helm], limits=Limits(seconds=1, memory=3 << 30))
    result = expansion("goTemplate: true\n" + ADDONS + spec, FILES, render_templates=engine)
    assert result.applications == ()
    assert "a Go template" in reasons(result)[0]


def test_five_hundred_applications_are_one_run(expansion: Expand, helm: str) -> None:
    engine = GoTemplates([helm])
    spec = GO_TEMPLATE.replace("name: '{{ .path.basename }}'", "name: '{{ .path.basename | lower }}'")
    files = {f"addons/App{number}/x": "" for number in range(500)}
    result = expansion("goTemplate: true\n" + ADDONS + spec, files, render_templates=engine)
    assert len(result.applications) == 500
    assert names(result)[0] == "app0"
    assert engine.runs == 1
