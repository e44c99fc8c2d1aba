"""The reference repository is complete: it renders, its parts name each other rightly, and its application runs."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from gitops_bot.model.application import Application
from gitops_bot.model.settings import Cluster, Settings, contradictions
from tests.examples.conftest import ROOT, Render, by_kind, load

EXAMPLE = ROOT / "examples" / "churn-mlops"
CHART = EXAMPLE / "k8s" / "helm" / "churn-mlops"
ENVIRONMENTS = ("development", "staging", "production")
REPOSITORY = "https://github.com/acme/churn-mlops-prod"
FOLLOWS = {"development": "develop", "staging": "main", "production": "v*.*.*"}


def application(environment: str) -> dict[str, Any]:
    found: dict[str, Any] = load(EXAMPLE / "argocd" / environment / "application.yaml")
    return found


# -- the repository's parts name each other ----------------------------------------------------------------------------


def test_the_tree_is_the_documented_one() -> None:
    for path in (
        ".gitops-bot.yaml",
        ".github/workflows/ci.yml",
        ".github/workflows/cd-build-push.yml",
        "argocd/appproject.yaml",
        "k8s/helm/churn-mlops/Chart.yaml",
        "k8s/helm/churn-mlops/values.yaml",
        "src/churn_mlops/server.py",
        *(f"k8s/helm/churn-mlops/templates/{name}.yaml" for name in ("deployment", "service", "cronjob", "hpa")),
        *(f"k8s/helm/churn-mlops/values-{environment}.yaml" for environment in ENVIRONMENTS),
    ):
        assert (EXAMPLE / path).is_file(), path


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_application_points_at_what_exists(environment: str) -> None:
    app = msgspec.convert(application(environment), Application)
    assert app.name == app.spec.destination.namespace == f"churn-mlops-{environment}"
    (source,) = app.sources
    assert source.repo_url == REPOSITORY
    assert source.target_revision == FOLLOWS[environment]
    assert source.path is not None
    assert source.helm is not None
    assert (EXAMPLE / source.path / "Chart.yaml").is_file()
    assert source.helm.value_files == ("values.yaml", f"values-{environment}.yaml")
    for name in source.helm.value_files:
        assert (EXAMPLE / source.path / name).is_file()


def test_in_staging_git_alone_decides() -> None:
    app = msgspec.convert(application("staging"), Application)
    assert app.spec.ignore_differences == ()
    assert app.sources[0].helm is not None
    assert app.sources[0].helm.parameters == ()


def test_production_leaves_the_replicas_to_the_autoscaler() -> None:
    spec = application("production")["spec"]
    (ignored,) = spec["ignoreDifferences"]
    assert (ignored["kind"], ignored["name"], ignored["jsonPointers"]) == (
        "Deployment",
        "churn-api",
        ["/spec/replicas"],
    )
    assert "PruneLast=true" in spec["syncPolicy"]["syncOptions"]
    assert spec["syncPolicy"]["retry"]["limit"] == 5
    assert spec["revisionHistoryLimit"] == 10


def test_settings_and_snapshots_are_of_the_published_types() -> None:
    settings = msgspec.convert(load(EXAMPLE / ".gitops-bot.yaml"), Settings)
    assert contradictions(settings) == []
    for name in ("dev", "staging", "prod"):
        cluster = msgspec.convert(load(EXAMPLE / ".gitops-bot" / "clusters" / f"{name}.yaml"), Cluster)
        assert "apps/v1" in cluster.api_versions


def test_the_settings_name_what_exists() -> None:
    settings = load(EXAMPLE / ".gitops-bot.yaml")
    assert list(settings["environments"]) == list(ENVIRONMENTS)
    for environment, follows in settings["environments"].items():
        assert (EXAMPLE / follows["applications"] / "application.yaml").is_file()
        assert (EXAMPLE / ".gitops-bot" / "clusters" / f"{follows['cluster']}.yaml").is_file()
        assert follows.get("branch", follows.get("tag")) == FOLLOWS[environment]
    assert settings["render"]["repositories"] == [REPOSITORY]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_place_that_a_bump_writes_is_there(environment: str) -> None:
    settings = load(EXAMPLE / ".gitops-bot.yaml")
    for rule in (*settings["images"], *settings["models"]):
        for write in rule["write"]:
            values = load(EXAMPLE / write["file"].format(environment=environment))
            for path in (value for name, value in write.items() if name != "file"):
                here = values
                for part in path.split("."):
                    here = here[part]
                assert isinstance(here, str), path


@pytest.mark.parametrize("workflow", ["ci.yml", "cd-build-push.yml"])
def test_workflows_have_no_rights_by_default_and_pin_what_they_use(workflow: str) -> None:
    document = load(EXAMPLE / ".github" / "workflows" / workflow)
    assert document["permissions"] == {}
    for job in document["jobs"].values():
        assert job["permissions"]
        for step in job["steps"]:
            used = step.get("uses", "")
            if used and not used.startswith("gitops-bot/"):
                assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", used)
            assert "${{" not in step.get("run", ""), "foreign text in a shell script"


# -- the chart ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_chart_passes_lint(run_helm: Callable[..., str], environment: str) -> None:
    said = run_helm("lint", "--strict", str(CHART), "--values", str(CHART / f"values-{environment}.yaml"))
    assert "0 chart(s) failed" in said


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_chart_renders_what_the_environment_runs(render: Render, environment: str) -> None:
    cluster = load(EXAMPLE / ".gitops-bot" / "clusters" / f"{cluster_of(environment)}.yaml")
    objects = by_kind(render(EXAMPLE, application(environment), "--kube-version", cluster["kube_version"]))
    kinds = {"ConfigMap", "CronJob", "Deployment", "Service", "ServiceAccount"}
    assert set(objects) == kinds | ({"HorizontalPodAutoscaler"} if environment == "production" else set())
    values = load(CHART / f"values-{environment}.yaml")
    deployment = objects["Deployment"]
    assert deployment["metadata"]["name"] == "churn-api"
    assert deployment["spec"]["replicas"] == values.get("replicaCount", 1)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"ghcr.io/acme/churn-api:{values['image']['tag']}"
    variables = {variable["name"]: variable["value"] for variable in container["env"]}
    assert variables["MODEL_PATH"] == "s3://models/churn/v1.2.3/"
    assert variables["MODEL_VERSION"] == "v1.2.3"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


def cluster_of(environment: str) -> str:
    return str(load(EXAMPLE / ".gitops-bot.yaml")["environments"][environment]["cluster"])


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_rendered_objects_fit_together(render: Render, environment: str) -> None:
    objects = by_kind(render(EXAMPLE, application(environment)))
    pod = objects["Deployment"]["spec"]["template"]
    assert objects["Service"]["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert objects["Deployment"]["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    (container,) = pod["spec"]["containers"]
    assert objects["Service"]["spec"]["ports"][0]["targetPort"] in {port["name"] for port in container["ports"]}
    assert container["envFrom"] == [{"configMapRef": {"name": objects["ConfigMap"]["metadata"]["name"]}}]
    assert pod["spec"]["serviceAccountName"] == objects["ServiceAccount"]["metadata"]["name"]
    job = objects["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]
    assert not objects["Service"]["spec"]["selector"].items() <= job["metadata"]["labels"].items()
    for spec in (pod["spec"], job["spec"]):
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
        assert spec["containers"][0]["resources"]["limits"]["memory"]
    if environment == "production":
        target = objects["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) == ("Deployment", objects["Deployment"]["metadata"]["name"])


def test_the_project_permits_what_its_applications_deploy(render: Render) -> None:
    spec = load(EXAMPLE / "argocd" / "appproject.yaml")["spec"]
    permitted = {(rule["group"], rule["kind"]) for rule in spec["namespaceResourceWhitelist"]}
    places = {(place["server"], place["namespace"]) for place in spec["destinations"]}
    for environment in ENVIRONMENTS:
        app = application(environment)
        assert app["spec"]["source"]["repoURL"] in spec["sourceRepos"]
        assert (app["spec"]["destination"]["server"], app["spec"]["destination"]["namespace"]) in places
        for item in render(EXAMPLE, app):
            assert (item["apiVersion"].rpartition("/")[0], item["kind"]) in permitted


def test_a_changed_configuration_restarts_the_pods(render: Render) -> None:
    def checksum(*options: str) -> str:
        pod = by_kind(render(EXAMPLE, application("staging"), *options))["Deployment"]["spec"]["template"]
        return str(pod["metadata"]["annotations"]["checksum/config"])

    assert checksum() != checksum("--set", "config.logLevel=debug")
    assert checksum() == checksum("--set", "replicaCount=3")


@pytest.mark.parametrize("option", ["image.tag=latest", "image.tag=1234567", "model.version=3", "replicaCount=two"])
def test_values_that_would_go_wrong_are_refused(helm: str, tmp_path: Path, option: str) -> None:
    """A mutable tag, and the commit id of digits only that YAML reads as a number."""
    ended = subprocess.run(
        [helm, "template", str(CHART), "--set", option],
        env={"HOME": str(tmp_path), "PATH": os.path.dirname(helm)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode != 0
    assert "schema" in ended.stderr


# -- the application ---------------------------------------------------------------------------------------------------


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    return tmp_path / "model"


@pytest.fixture
def server(render: Render, model_path: Path) -> Iterator[str]:
    """The API's address; started as staging's container starts it, with a local model directory."""
    (container,) = by_kind(render(EXAMPLE, application("staging")))["Deployment"]["spec"]["template"]["spec"][
        "containers"
    ]
    given = {variable["name"]: variable["value"] for variable in container["env"]}
    environment = {
        **given,
        "PORT": "0",
        "MODEL_PATH": str(model_path),
        "MODEL_RETRY_SECONDS": "0.02",
        "PYTHONPATH": str(EXAMPLE / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    process = subprocess.Popen(
        [sys.executable, *container["args"]],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 30)[0], "the server did not start"
        port = process.stdout.readline().rpartition(" ")[2].strip()
        assert port.isdecimal(), "the server ended at once"
        yield f"http://127.0.0.1:{port}"
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def ask(url: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(url, data=data, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def ask_until(url: str, wanted: Callable[[int, dict[str, Any]], bool]) -> tuple[int, dict[str, Any]]:
    """Ask again until the answer is the wanted one; fails with the last answer after 20 s."""
    deadline = time.monotonic() + 20
    while True:
        answer = ask(url)
        if wanted(*answer):
            return answer
        assert time.monotonic() < deadline, answer
        time.sleep(0.02)


def train(output: Path, version: str, data: Path) -> None:
    data.write_text(
        "customer_id,tenure_months,support_calls,churned\n"
        + "".join(f"c{number},{number % 48},{number % 7},{int(number % 7 > 3)}\n" for number in range(100))
    )
    subprocess.run(
        [sys.executable, "-m", "churn_mlops.train", "--data", data, "--output", output, "--version", version],
        env={"PYTHONPATH": str(EXAMPLE / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
        stdout=subprocess.DEVNULL,
    )


def test_the_api_is_ready_only_with_the_configured_model(server: str, model_path: Path, tmp_path: Path) -> None:
    assert ask(f"{server}/healthz") == (200, {"status": "alive"})
    status, answer = ask(f"{server}/readyz")
    assert (status, answer["status"]) == (503, "loading")
    assert ask(f"{server}/predict", {"features": {}})[0] == 503

    train(model_path, "v1.2.2", tmp_path / "customers.csv")
    status, _ = ask_until(f"{server}/readyz", lambda _, answer: "v1.2.2" in answer.get("reason", ""))
    assert status == 503, "another version than the configured one must not make the pod ready"

    train(model_path, "v1.2.3", tmp_path / "customers.csv")
    _, answer = ask_until(f"{server}/readyz", lambda status, _: status == 200)
    assert answer == {"status": "ready", "model": "churn-model", "version": "v1.2.3"}
    status, prediction = ask(f"{server}/predict", {"features": {"tenure_months": 2, "support_calls": 6}})
    assert status == 200
    assert prediction["churn"] is True


def test_the_retraining_job_has_arguments_the_program_takes(render: Render, model_path: Path, tmp_path: Path) -> None:
    spec = by_kind(render(EXAMPLE, application("production")))["CronJob"]["spec"]["jobTemplate"]["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    data = tmp_path / "customers.csv"
    data.write_text("a,churned\n" + "".join(f"{number},{int(number > 9)}\n" for number in range(20)))
    local = {"--data": str(data), "--output": str(model_path), "--epochs": "3"}
    arguments = [
        f"{name}={local.get(name, value)}" if value else name
        for name, _, value in (argument.partition("=") for argument in container["args"])
    ]
    subprocess.run(
        [sys.executable, *arguments],
        env={"PYTHONPATH": str(EXAMPLE / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
    )
    (made,) = model_path.glob("candidate-*/model.json")
    assert json.loads(made.read_text())["name"] == "churn-model"


def test_the_examples_own_tests_pass() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(EXAMPLE)],
        cwd=EXAMPLE,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-4000:]
    assert re.search(r"\d+ passed", ended.stdout)


def test_every_yaml_file_outside_the_templates_can_be_read() -> None:
    files = [path for path in EXAMPLE.rglob("*.y*ml") if "templates" not in path.parts]
    assert len(files) >= 14
    for path in files:
        assert list(yaml.safe_load_all(path.read_text(encoding="utf-8"))), path
