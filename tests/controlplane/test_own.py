"""A cluster of the user's own in place of the tests' control plane."""

from __future__ import annotations

from tests.controlplane.own import own_cluster


def test_whoever_runs_the_tests_may_give_a_cluster_of_their_own(plane, tmp_path):
    own = own_cluster(plane.kubeconfig, tmp_path)

    name = own.request("POST", "/api/v1/namespaces", {"metadata": {"generateName": "own-"}})["metadata"]["name"]
    assert plane.request("GET", f"/api/v1/namespaces/{name}")["metadata"]["name"] == name
    own.request("DELETE", f"/api/v1/namespaces/{name}")
    assert own.token != plane.token
    assert not own.audit_log.exists()
