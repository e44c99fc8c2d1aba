"""The fixture with every field at once says what its README says, judged by the real Helm."""

from __future__ import annotations

import msgspec

from gitops_bot.model.application import Application, HelmParameter
from tests.examples.conftest import ROOT, Render, by_kind, load

FIXTURE = ROOT / "tests" / "fixtures" / "full-application"
DEFINITION = FIXTURE / "argocd" / "application.yaml"


def test_the_fields_that_decide_a_render_are_read() -> None:
    app = msgspec.convert(load(DEFINITION), Application)
    (source,) = app.sources
    assert source.helm is not None
    assert source.helm.parameters == (HelmParameter(name="image.tag", value="v1.2.3"),)
    assert source.helm.value_files == ("values.yaml", "values-production.yaml")
    assert app.spec.ignore_differences[0].json_pointers == ("/spec/replicas",)
    assert app.metadata.finalizers == ("resources-finalizer.argocd.argoproj.io",)
    assert app.spec.destination.namespace == "churn-mlops"


def test_the_parameter_shadows_the_value_file(render: Render) -> None:
    document = load(DEFINITION)
    (container,) = by_kind(render(FIXTURE, document))["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "ghcr.io/acme/churn-api:v1.2.3"
    del document["spec"]["source"]["helm"]["parameters"]
    (container,) = by_kind(render(FIXTURE, document))["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "ghcr.io/acme/churn-api:v1.2.0"


def test_the_last_value_file_wins_and_no_namespace_is_rendered(render: Render) -> None:
    objects = by_kind(render(FIXTURE, load(DEFINITION)))
    assert objects["Deployment"]["spec"]["replicas"] == 3
    assert set(objects) == {"Deployment", "Service"}


def test_every_policy_of_the_readme_is_in_the_file() -> None:
    spec = load(DEFINITION)["spec"]
    policy = spec["syncPolicy"]
    assert policy["automated"] == {"prune": True, "selfHeal": True, "allowEmpty": False}
    assert policy["syncOptions"] == ["CreateNamespace=true", "PrunePropagationPolicy=foreground", "PruneLast=true"]
    assert policy["retry"] == {"limit": 5, "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"}}
    assert spec["revisionHistoryLimit"] == 10
