"""What people ask of an agent's cluster: tables for terminals, JSON for programs, against a real API server."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gitops_bot.cli.agent.group import command
from gitops_bot.errors import ClusterError, NotSynced
from tests.controlplane.plugin import Installed
from tests.servers import Server, gives

COMMIT, OLDER = "4f2a9c1" + "0" * 33, "1111111" + "0" * 33
SPEC = {
    "project": "default",
    "source": {"repoURL": "https://git.example.org/acme/shop", "path": "k8s", "targetRevision": "main"},
    "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
}
STATUS: dict[str, Any] = {
    "sync": {"status": "OutOfSync", "revision": COMMIT, "comparedTo": {"destination": {}}},
    "health": {"status": "Degraded", "message": "Deployment.apps/shop/web: \x1b[31mno pods"},
    "resources": [
        {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "shop", "name": "web",
         "status": "OutOfSync", "health": {"status": "Degraded", "message": "no pods"}},
        {"version": "v1", "kind": "ConfigMap", "namespace": "shop", "name": "old", "status": "OutOfSync",
         "requiresPruning": True},
    ],
    "operationState": {"operation": {"sync": {}}, "phase": "Failed", "message": "wave 0: web could not be applied",
                       "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:05Z"},
    "history": [
        {"id": 0, "revision": OLDER, "deployedAt": "2026-01-01T00:00:00Z", "initiatedBy": {"automated": True}},
        {"id": 1, "revision": COMMIT, "deployedAt": "2026-01-02T00:00:00Z", "initiatedBy": {"username": "ada"}},
    ],
    "summary": {"images": ["ghcr.io/acme/shop:v2"]},
}  # fmt: skip

Run = Callable[..., Any]


@pytest.fixture
def applications(installed: Installed, place: str) -> str:
    """A namespace with two Applications."""
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{place}/applications"
    for name, status in (("shop", STATUS), ("empty", None)):
        body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name}, "spec": SPEC}
        installed.plane.request("POST", path, body | ({"status": status} if status else {}))
    return place


@pytest.fixture
def run(installed: Installed, applications: str) -> Run:
    def run(*arguments: str) -> Any:
        where = ("--kubeconfig", str(installed.plane.kubeconfig), "--namespace", applications)
        return CliRunner().invoke(command, [*arguments, *where], catch_exceptions=True, standalone_mode=False)

    return run


def test_all_applications_are_a_table(run: Run) -> None:
    lines = run("status").stdout.splitlines()

    assert lines[0].split() == ["NAME", "SYNC", "HEALTH", "REVISION", "SYNCED", "WHAT", "TO", "KNOW"]
    assert lines[1].split() == ["empty", "-", "-", "-", "-", "-"]
    assert lines[2].split()[:4] == ["shop", "OutOfSync", "Degraded", "4f2a9c10"]
    assert lines[2].endswith("last sync failed: wave 0: web could not be applied")


def test_one_application_shows_its_objects_and_nothing_dangerous(run: Run) -> None:
    text = run("status", "shop").stdout

    assert "OutOfSync at 4f2a9c10" in text
    assert "\x1b" not in text
    rows = [line.split() for line in text.splitlines()]
    assert ["Deployment.apps", "shop", "web", "OutOfSync", "Degraded", "no", "pods"] in rows
    assert ["ConfigMap", "shop", "old", "to", "be", "pruned", "-"] in rows


def test_what_may_be_done_is_a_command_to_copy(run: Run, installed: Installed, applications: str) -> None:
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{applications}/applications/shop"
    held = "PersistentVolumeClaim/shop/data would go; annotate … argocd.argoproj.io/deletion-approved: the time of now"
    operation = STATUS["operationState"] | {
        "message": "Deployment.apps/shop/web would not be taken: field is immutable"
    }
    conditions = [{"type": "PruneHeldWarning", "message": held}]
    status = {"status": STATUS | {"operationState": operation, "conditions": conditions}}
    installed.plane.request("PATCH", path, status, content_type="application/merge-patch+json")

    lines = run("status", "shop").stdout.splitlines()
    assert [line for line in lines if line.startswith("next: ")] == [
        (
            f"next: to approve it: kubectl annotate application shop -n {applications} --overwrite "
            "argocd.argoproj.io/deletion-approved=$(date -u +%Y-%m-%dT%H:%M:%SZ)"
        ),
        "next: to delete the object and make it anew: annotate it in Git with argocd.argoproj.io/sync-options: Force=true",
    ]
    assert "next: " not in run("status", "empty").stdout


def test_a_failed_sync_of_what_git_no_longer_says_is_history(run: Run, installed: Installed, applications: str) -> None:
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{applications}/applications/shop"
    source = SPEC["source"]
    immutable = "Deployment.apps/shop/web would not be taken: field is immutable"
    refused = {"version": "v1", "group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web",
               "status": "SyncFailed", "message": immutable}  # fmt: skip
    result = {"revision": OLDER, "source": source, "resources": [refused]}
    operation = STATUS["operationState"] | {"message": immutable, "syncResult": result}
    synced = {"status": "Synced", "revision": COMMIT, "comparedTo": {"destination": {}, "source": source}}
    status = {"health": {"status": "Healthy"}, "sync": synced, "operationState": operation}
    installed.plane.request("PATCH", path, {"status": status}, content_type="application/merge-patch+json")

    assert immutable not in run("status").stdout
    text = run("status", "shop").stdout
    assert "Failed" in text, "it is told as the last sync that there was"
    assert "! Deployment" not in text
    assert "next: " not in text
    told = json.loads(run("status", "shop", "--format", "json").stdout)["status"]["operationState"]
    assert (told["phase"], told["message"]) == ("Failed", immutable)

    synced["revision"] = OLDER
    installed.plane.request("PATCH", path, {"status": status}, content_type="application/merge-patch+json")
    assert f"last sync failed: {immutable}" in run("status").stdout
    assert "next: to delete the object" in run("status", "shop").stdout


def test_programs_get_the_status_itself(run: Run) -> None:
    listed = json.loads(run("status", "--format", "json").stdout)
    assert [each["name"] for each in listed] == ["empty", "shop"]
    assert listed[1]["status"]["sync"]["revision"] == COMMIT
    assert json.loads(run("status", "shop", "--format", "json").stdout)["status"]["health"]["status"] == "Degraded"


def test_the_history_is_told_newest_first(run: Run) -> None:
    rows = [line.split() for line in run("history", "shop").stdout.splitlines()[1:]]

    assert [(row[0], row[-2], row[-1]) for row in rows] == [("1", "4f2a9c10", "ada"), ("0", "11111110", "Git")]
    assert [each["id"] for each in json.loads(run("history", "shop", "--format", "json").stdout)] == [0, 1]
    assert "never synced" in run("history", "empty").stdout


def test_a_name_that_is_none_is_told_with_those_there_are(run: Run) -> None:
    error = run("history", "shpo").exception

    assert error.exit_code == 2
    assert "no Application shpo" in error.message
    assert "empty, shop" in error.hint


@pytest.mark.parametrize(
    ("options", "wish"),
    [((), {"prune": False}), (("--prune",), {"prune": True}), (("--dry-run",), {"prune": False, "dryRun": True})],
)
def test_a_wish_is_written_once_and_changes_nothing_else(
    run: Run, installed: Installed, applications: str, options: tuple[str, ...], wish: dict[str, bool]
) -> None:
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{applications}/applications/shop"
    before = installed.plane.request("GET", path)

    assert run("sync", "shop", *options, "--no-wait").exception is None

    after = installed.plane.request("GET", path)
    assert after["operation"]["sync"] == wish
    assert after["operation"]["initiatedBy"]["username"]
    assert (after["spec"], after["status"]) == (before["spec"], before["status"])
    assert "already" in run("sync", "shop", "--no-wait").exception.message


def lease(installed: Installed, place: str, renewed: datetime, holder: str = "pod-1", **annotations: str) -> None:
    body = {
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "gitops-bot", "annotations": annotations},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15,
                 "renewTime": renewed.strftime("%Y-%m-%dT%H:%M:%S.%fZ")},
    }  # fmt: skip
    installed.plane.request("POST", f"/apis/coordination.k8s.io/v1/namespaces/{place}/leases", body)


def test_it_is_told_where_no_agent_is_at_work(run: Run, installed: Installed, applications: str) -> None:
    asked = f"kubectl get pods -n {applications}\n"
    assert run("status").stderr == f"warning: no agent has ever worked here; {asked}"
    assert run("sync", "empty", "--no-wait").stderr == f"warning: no agent has ever worked here; {asked}"
    lease(installed, applications, datetime(2026, 1, 1, 12, tzinfo=UTC))
    silent = "no agent is at work: pod-1 gave its last sign of life at 2026-01-01 12:00:00 UTC"
    assert run("status", "shop").stderr == f"warning: {silent}; {asked}"
    assert len(json.loads(run("status", "--format", "json").stdout)) == 2


def test_a_sync_that_does_not_end_in_time_is_no_fault_of_the_api_server(run):
    error = run("sync", "empty", "--timeout", "0.2").exception
    assert isinstance(error, NotSynced)
    assert error.exit_code != ClusterError.exit_code
    assert "has not ended in time" in error.message
    assert "agent status empty" in error.hint


def test_it_is_told_what_of_git_cannot_be_followed(run: Run, installed: Installed, applications: str) -> None:
    wrong = {"gitops-bot/definitions": "apps/shop.yaml: line 5: did not find expected key"}
    lease(installed, applications, datetime.now(UTC), **wrong)
    assert run("status").stderr == f"warning: definitions in Git: {wrong['gitops-bot/definitions']}\n"


def test_an_agent_that_was_stopped_is_not_at_work(run: Run, installed: Installed, applications: str) -> None:
    lease(installed, applications, datetime.now(UTC), holder="")
    assert "no agent is at work: the last one was stopped" in run("status").stderr


def test_what_is_left_alone_is_told_so_and_not_waited_for(run: Run, installed: Installed, applications: str) -> None:
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{applications}/applications/shop"
    change = {"metadata": {"annotations": {"argocd.argoproj.io/skip-reconcile": "true"}}}
    installed.plane.request("PATCH", path, change, content_type="application/merge-patch+json")

    said = "left alone while it is annotated with argocd.argoproj.io/skip-reconcile"
    assert run("status").stdout.splitlines()[2].endswith(said)
    assert "argocd.argoproj.io/skip-reconcile" in run("status", "shop").stdout
    refused = run("sync", "shop").exception
    assert refused.message == f"shop is {said}"
    assert refused.hint == f"kubectl annotate application shop -n {applications} argocd.argoproj.io/skip-reconcile-"
    assert "operation" not in installed.plane.request("GET", path)


def test_a_diff_that_cannot_be_made_does_not_end_as_one_without_differences(run: Run) -> None:
    done = run("diff", "shop")
    assert done.return_value == 3
    assert "ComparisonError: https://git.example.org/acme/shop: " in done.stdout
    assert done.stdout.endswith("\nnot compared\n")


def test_who_lacks_a_right_is_told_what_to_do(installed: Installed, applications: str, tmp_path: Any) -> None:
    plane = installed.plane
    plane.request("POST", f"/api/v1/namespaces/{applications}/serviceaccounts", {
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "dev"},
    })  # fmt: skip
    told = plane.request("POST", f"/api/v1/namespaces/{applications}/serviceaccounts/dev/token", {
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600},
    })  # fmt: skip
    config = plane.write_kubeconfig(tmp_path / "dev", told["status"]["token"])
    asked = ["status", "--kubeconfig", str(config), "--namespace", applications]
    error = CliRunner().invoke(command, asked, standalone_mode=False).exception
    assert "cannot list resource" in error.message  # type: ignore[union-attr]
    assert error.hint == "ask who runs the cluster for this right, or name another --context"  # type: ignore[union-attr]


def test_what_a_cluster_can_do_is_a_file_that_reviews_read(run: Run, installed: Installed) -> None:
    from gitops_bot.render.settings import read_cluster
    from tests.render.trees import tree_of

    text = run("capabilities", "--cluster-name", "staging", "--label", "region=eu").stdout
    cluster = read_cluster(tree_of({".gitops-bot/clusters/staging.yaml": text}), "staging")

    assert cluster is not None
    version: str = installed.plane.request("GET", "/version")["gitVersion"]
    assert cluster.kube_version == version.removeprefix("v")
    assert {"v1", "apps/v1", "argoproj.io/v1alpha1", "argoproj.io/v1alpha1/Application"} <= set(cluster.api_versions)
    assert "apps/v1/Deployment" not in cluster.api_versions
    assert cluster.labels == {"region": "eu"}


@pytest.mark.parametrize("asked", [("status",), ("status", "shop"), ("history", "shop"), ("sync", "shop")])
def test_a_cluster_without_the_definitions_is_told_what_to_install(
    server: Server, tmp_path: Path, asked: tuple[str, ...]
) -> None:
    for path in ("/api", "/apis", "/version"):
        server.routes[path] = gives(b"{}")
    server.routes["/apis/"] = server.routes["/api/"] = gives(b"{}", 404)
    config = tmp_path / "config"
    config.write_text(json.dumps({
        "clusters": [{"name": "x", "cluster": {"server": server.url}}],
        "users": [{"name": "x", "user": {}}], "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "current-context": "x",
    }))  # fmt: skip

    found = CliRunner().invoke(command, [*asked, "--kubeconfig", str(config)], standalone_mode=False)

    assert isinstance(found.exception, ClusterError)
    assert found.exception.message == "the cluster does not know Application objects"
    assert found.exception.hint == "install the agent: kubectl apply -k deploy"


def test_a_kubeconfig_that_is_not_there_is_told(tmp_path: Path) -> None:
    missing = CliRunner().invoke(command, ["status", "--kubeconfig", str(tmp_path / "none")], standalone_mode=False)

    assert isinstance(missing.exception, ClusterError)
    assert missing.exception.exit_code == 9
    assert "--kubeconfig" in missing.exception.hint
