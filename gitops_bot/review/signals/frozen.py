"""Which fields the API server refuses to change, by group and kind.

The rules are those of the update validations in Kubernetes 1.36 (``pkg/apis/<group>/validation``, and
``apiextensions-apiserver`` for definitions), each named beside its entry. Pure data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Field(NamedTuple):
    """One field that stays as it was created."""

    path: tuple[str, ...]
    default: Any = None
    """What the API server puts where the field is missing; None where it puts nothing."""
    shown: bool = True
    """Whether the message may quote the values: names and numbers that hold no secret."""


class Rest(NamedTuple):
    """A mapping of which only some fields may change."""

    path: tuple[str, ...]
    mutable: frozenset[str]
    defaults: Mapping[str, Any] = {}
    settable: frozenset[str] = frozenset()
    """Fields that may be given later, and then stay."""
    filled: frozenset[str] = frozenset()
    """Fields that the cluster fills in by itself: naming one may name what is there already."""
    since: Mapping[str, tuple[int, int]] = {}
    """Fields that may change from this Kubernetes version on."""


STATEFUL_SET = Rest(  # ValidateStatefulSetUpdate; selectors and volume claim templates are judged apart
    ("spec",),
    frozenset(
        ("replicas", "ordinals", "template", "updateStrategy", "persistentVolumeClaimRetentionPolicy",
         "minReadySeconds", "revisionHistoryLimit", "selector", "volumeClaimTemplates")
    ),
    {"podManagementPolicy": "OrderedReady", "serviceName": ""},
    since={"revisionHistoryLimit": (1, 33)},
)  # fmt: skip

RULES: Mapping[tuple[str, str], tuple[Field | Rest, ...]] = {
    ("apps", "StatefulSet"): (STATEFUL_SET,),
    ("batch", "Job"): (  # ValidateJobSpecUpdate; the template and completions are judged apart
        Field(("spec", "completionMode"), "NonIndexed"),
        Field(("spec", "podFailurePolicy"), shown=False),
        Field(("spec", "successPolicy"), shown=False),
        Field(("spec", "backoffLimitPerIndex")),
        Field(("spec", "managedBy")),
    ),
    ("", "PersistentVolumeClaim"): (  # ValidatePersistentVolumeClaimUpdate
        Rest(
            ("spec",),
            frozenset(("resources", "volumeAttributesClassName")),
            {"volumeMode": "Filesystem"},
            filled=frozenset(("storageClassName", "volumeName", "dataSource", "dataSourceRef")),
        ),
    ),
    ("", "PersistentVolume"): (  # ValidatePersistentVolumeUpdate: the source and volumeMode stay, nodeAffinity once set
        Rest(
            ("spec",),
            frozenset(
                (
                    "capacity",
                    "accessModes",
                    "persistentVolumeReclaimPolicy",
                    "storageClassName",
                    "mountOptions",
                    "claimRef",
                    "volumeAttributesClassName",
                )
            ),
            {"volumeMode": "Filesystem"},
            settable=frozenset(("nodeAffinity",)),
        ),
    ),
    ("", "Secret"): (Field(("type",), "Opaque"),),  # ValidateSecretUpdate; immutable data is judged apart
    ("storage.k8s.io", "StorageClass"): (  # ValidateStorageClassUpdate
        Field(("provisioner",)),
        Field(("parameters",), {}, shown=False),
        Field(("reclaimPolicy",), "Delete"),
        Field(("volumeBindingMode",), "Immediate"),
    ),
    ("storage.k8s.io", "VolumeAttributesClass"): (  # ValidateVolumeAttributesClassUpdate
        Field(("driverName",)),
        Field(("parameters",), {}, shown=False),
    ),
    ("storage.k8s.io", "CSIDriver"): (  # ValidateCSIDriverUpdate
        Field(("spec", "attachRequired"), True),
        Field(("spec", "volumeLifecycleModes"), ["Persistent"]),
    ),
    ("networking.k8s.io", "IngressClass"): (Field(("spec", "controller")),),  # ValidateIngressClassUpdate
    ("scheduling.k8s.io", "PriorityClass"): (  # ValidatePriorityClassUpdate
        Field(("value",), 0),
        Field(("preemptionPolicy",), "PreemptLowerPriority"),
    ),
    ("node.k8s.io", "RuntimeClass"): (Field(("handler",)),),  # ValidateRuntimeClassUpdate
    ("discovery.k8s.io", "EndpointSlice"): (Field(("addressType",)),),  # ValidateEndpointSliceUpdate
    ("", "ResourceQuota"): (Field(("spec", "scopes"), []),),  # ValidateResourceQuotaUpdate
    ("resource.k8s.io", "ResourceClaim"): (Field(("spec",), shown=False),),  # ValidateResourceClaimUpdate
    ("resource.k8s.io", "ResourceClaimTemplate"): (Field(("spec",), shown=False),),  # …TemplateUpdate
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (  # ValidateCustomResourceDefinitionUpdate
        Field(("spec", "group")),
        Field(("spec", "scope")),
        Field(("spec", "names", "plural")),
        Field(("spec", "names", "kind")),
    ),
}
"""By group and kind. Selectors of workloads are ``selectors``' part, sizes of claims ``volumes``'."""

POD_MUTABLE = frozenset(
    ("activeDeadlineSeconds", "terminationGracePeriodSeconds", "tolerations", "schedulingGates", "ephemeralContainers")
)
"""Fields of a bare Pod that may change, beside its images (ValidatePodUpdate)."""
POD_DEFAULTS: Mapping[str, Any] = {
    "dnsPolicy": "ClusterFirst",
    "enableServiceLinks": True,
    "hostIPC": False,
    "hostNetwork": False,
    "hostPID": False,
    "schedulerName": "default-scheduler",
    "securityContext": {},
    "terminationGracePeriodSeconds": 30,
}
CONTAINER_DEFAULTS: Mapping[str, Any] = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
"""What the API server adds by itself (SetDefaults_PodSpec and its sisters): writing it out changes nothing."""
SUSPENDED_JOB = ("nodeSelector", "affinity", "tolerations", "schedulingGates")
"""Fields of a suspended Job's pods that may change until it starts (KEP-2926)."""
