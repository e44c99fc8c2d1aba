"""Rollouts: Deployments, StatefulSets, DaemonSets, ReplicaSets."""

from __future__ import annotations

from tests.agent.health.cases import check, conditions, met, status, table

AVAILABLE = met("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
UNAVAILABLE = met("Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
UPDATED = met("Progressing", "True", "ReplicaSetUpdated", 'ReplicaSet "churn-api-5f" is progressing.')
COMPLETE = met(
    "Progressing", "True", "NewReplicaSetAvailable", 'ReplicaSet "churn-api-5f" has successfully progressed.'
)
LATE = met("Progressing", "False", "ProgressDeadlineExceeded", 'ReplicaSet "churn-api-5f" has timed out progressing.')
QUOTA = met(
    "ReplicaFailure", "True", "FailedCreate",
    'pods "churn-api-5f-x2x4z" is forbidden: exceeded quota: compute, requested: requests.cpu=2, used: requests.cpu=7, limited: requests.cpu=8',
)  # fmt: skip


@table(
    ("rolled out", {}, "Healthy"),
    ("paused", {"spec": {"paused": True}}, "Suspended", "paused"),
    ("not paused", {"spec": {"paused": False}}, "Healthy"),
    ("paused, whatever else is wrong", {"spec": {"paused": True}, **conditions(LATE)}, "Suspended"),
    ("specification not seen", {"metadata": {"generation": 4}}, "Progressing", "newest specification"),
    ("never seen", {"status": None}, "Progressing", "newest specification"),
    ("deadline passed", conditions(UNAVAILABLE, LATE, availableReplicas=1, readyReplicas=1), "Degraded", "timed out"),
    ("deadline passed, and a new specification not seen", {"metadata": {"generation": 4}, **conditions(LATE)}, "Progressing"),
    ("deadline not passed", conditions(UNAVAILABLE, UPDATED, availableReplicas=1, readyReplicas=1), "Progressing", "1 of 3 updated pods are available"),
    ("scaled from 2 to 3", conditions(AVAILABLE, COMPLETE, replicas=2, updatedReplicas=2, availableReplicas=2), "Progressing", "2 of 3 pods are updated"),
    ("new pods come", status(replicas=4, updatedReplicas=1), "Progressing", "1 of 3 pods are updated"),
    ("old pods go", status(replicas=5), "Progressing", "have not ended yet: 2"),
    ("no pod yet", status(replicas=None, updatedReplicas=None, readyReplicas=None, availableReplicas=None), "Progressing", "0 of 3"),
    ("scaled to zero", {"spec": {"replicas": 0}, **status(replicas=None, updatedReplicas=None, readyReplicas=None, availableReplicas=None)}, "Healthy"),
    ("one replica by default", {"spec": {"replicas": None}, **status(replicas=1, updatedReplicas=1, availableReplicas=1)}, "Healthy"),
    # The quota is said at once, not ten minutes later; and no more when the pods are there.
    ("blocked by quota", conditions(AVAILABLE, UPDATED, QUOTA, replicas=3, updatedReplicas=1), "Degraded", "exceeded quota"),
    ("first install blocked by quota", conditions(UNAVAILABLE, UPDATED, QUOTA, replicas=None, updatedReplicas=None, readyReplicas=None, availableReplicas=None, unavailableReplicas=3), "Degraded", "exceeded quota"),
    ("quota made room", conditions(AVAILABLE, UPDATED, {**QUOTA, "status": "False"}, updatedReplicas=1), "Progressing"),
    ("all pods there although one was refused once", conditions(AVAILABLE, COMPLETE, QUOTA), "Healthy"),
    # The example's readiness probe answers 503 until its model is in memory.
    ("model not loaded", conditions(UNAVAILABLE, UPDATED, readyReplicas=None, availableReplicas=None, unavailableReplicas=3), "Progressing", "0 of 3 updated pods are available"),
)  # fmt: skip
def test_deployment(case):
    check("deployment", case)


@table(
    ("rolled out", {}, "Healthy"),
    ("never seen", {"status": {"observedGeneration": None}}, "Progressing", "newest specification"),
    ("specification not seen", {"metadata": {"generation": 3}}, "Progressing", "newest specification"),
    ("pods start", status(readyReplicas=1), "Progressing", "1 of 3 pods are ready"),
    ("scaled to zero", {"spec": {"replicas": 0}, **status(replicas=0, readyReplicas=None, updatedReplicas=None, currentReplicas=None)}, "Healthy"),
    ("rolling", status(updatedReplicas=1, currentReplicas=2, updateRevision="features-77"), "Progressing", "1 of 3 pods are updated"),
    ("rolled down to the partition", {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 2}}}, **status(updatedReplicas=1, updateRevision="features-77")}, "Healthy"),
    ("rolling down to the partition", {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 1}}}, **status(updatedReplicas=1, updateRevision="features-77")}, "Progressing", "1 of 2 pods are updated"),
    ("partition above the replicas", {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 9}}}, **status(updatedReplicas=0)}, "Healthy"),
    ("no rolling block, same revision", {"spec": {"updateStrategy": {"rollingUpdate": None}}}, "Healthy"),
    ("no rolling block, other revision", {"spec": {"updateStrategy": {"rollingUpdate": None}}, **status(updateRevision="features-77", updatedReplicas=2)}, "Progressing", "2 of 3"),
    ("no rolling block, other revision, all updated", {"spec": {"updateStrategy": {"rollingUpdate": None}}, **status(updateRevision="features-77")}, "Progressing", "3 of 3"),
    ("one replica by default", {"spec": {"replicas": None}, **status(readyReplicas=1, updatedReplicas=1)}, "Healthy"),
    ("OnDelete leaves old pods", {"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}, **status(updateRevision="features-77", updatedReplicas=0)}, "Healthy"),
    ("OnDelete waits for ready pods", {"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}, **status(readyReplicas=2)}, "Progressing"),
)  # fmt: skip
def test_stateful_set(case):
    check("statefulset", case)


@table(
    ("on all nodes", {}, "Healthy"),
    ("specification not seen", {"metadata": {"generation": 2}}, "Progressing", "newest specification"),
    ("never seen", {"status": {"observedGeneration": None}}, "Progressing", "newest specification"),
    ("rolling", status(updatedNumberScheduled=2), "Progressing", "2 of 4 pods are updated"),
    ("pods start", status(numberAvailable=3, numberUnavailable=1), "Progressing", "3 of 4 pods are available"),
    ("no node wants it", status(desiredNumberScheduled=0, currentNumberScheduled=0, updatedNumberScheduled=None, numberReady=0, numberAvailable=None), "Healthy"),
    ("OnDelete", {"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}, **status(updatedNumberScheduled=1)}, "Healthy", "deletes"),
)  # fmt: skip
def test_daemon_set(case):
    check("daemonset", case)


@table(
    ("all available", {}, "Healthy"),
    ("specification not seen", {"metadata": {"generation": 2}}, "Progressing"),
    ("pods start", status(availableReplicas=1), "Progressing", "1 of 2 pods are available"),
    ("one replica by default", {"spec": {"replicas": None}, **status(availableReplicas=1)}, "Healthy"),
    ("blocked by quota", conditions(QUOTA, replicas=1, availableReplicas=1), "Degraded", "exceeded quota"),
    ("quota made room", conditions({**QUOTA, "status": "False"}), "Healthy"),
)  # fmt: skip
def test_replica_set(case):
    check("replicaset", case)
