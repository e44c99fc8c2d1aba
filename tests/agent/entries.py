"""Objects and their managedFields as Kubernetes v1.36.3 writes them; each recorded from a real API server."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

from gitops_bot.agent.values import Live, ManagedFields, live_of
from gitops_bot.model.resource import ResourceKey

NOON = datetime(2026, 11, 29, 12, 0, 0, tzinfo=UTC)
WEB = 'k:{"name":"web"}'
DEBUG = 'k:{"name":"debug"}'


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def entry(manager: str, fields: dict[str, Any], operation: str = "Update", **more: Any) -> ManagedFields:
    return ManagedFields(
        **{"manager": manager, "operation": operation, "api_version": "apps/v1", "fields": fields, "time": NOON, **more}
    )


def ours(fields: dict[str, Any], **more: Any) -> ManagedFields:
    return entry("gitops-bot", fields, "Apply", **more)


def live(*managed: ManagedFields, kind: str = "Deployment", **more: Any) -> Live:
    group = {"Deployment": "apps", "Application": "argoproj.io", "CronJob": "batch"}.get(kind, "")
    return Live(
        **{
            "key": ResourceKey(group, kind, "shop", "web"),
            "api_version": "apps/v1",
            "uid": "u",
            "resource_version": "7",
            "managed": managed,
            **more,
        }
    )


def deployment(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"a": "b"}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "web", "image": "x:1", "env": [{"name": "A", "value": "1"}]}]},
            },
            **spec,
        },
    }


APPLIED: dict[str, Any] = {
    "f:metadata": {"f:labels": {"f:a": {}}},
    "f:spec": {
        "f:replicas": {},
        "f:selector": {},
        "f:template": {
            "f:metadata": {"f:labels": {"f:a": {}}},
            "f:spec": {
                "f:containers": {
                    WEB: {
                        ".": {},
                        "f:env": {'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}},
                        "f:image": {},
                        "f:name": {},
                    }
                }
            },
        },
    },
}
"""Our entry after ``deployment()`` was applied."""

EDITED: dict[str, Any] = {
    "f:spec": {
        "f:template": {
            "f:metadata": {"f:annotations": {".": {}, "f:note": {}}},
            "f:spec": {
                "f:containers": {
                    DEBUG: {
                        ".": {},
                        "f:image": {},
                        "f:imagePullPolicy": {},
                        "f:name": {},
                        "f:resources": {},
                        "f:terminationMessagePath": {},
                        "f:terminationMessagePolicy": {},
                    },
                    WEB: {
                        "f:command": {},
                        "f:env": {'k:{"name":"X"}': {".": {}, "f:name": {}, "f:value": {}}},
                        "f:resources": {"f:limits": {".": {}, "f:cpu": {}}},
                    },
                }
            },
        }
    }
}
"""A person's entry after ``kubectl edit`` added an annotation, a container, a command, a variable and a limit to it."""

CREATED: dict[str, Any] = {
    "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
    "f:spec": {
        "f:progressDeadlineSeconds": {},
        "f:replicas": {},
        "f:revisionHistoryLimit": {},
        "f:selector": {},
        "f:strategy": {"f:rollingUpdate": {".": {}, "f:maxSurge": {}, "f:maxUnavailable": {}}, "f:type": {}},
        "f:template": {
            "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
            "f:spec": {
                "f:containers": {
                    WEB: {
                        ".": {},
                        "f:env": {".": {}, 'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}},
                        "f:image": {},
                        "f:imagePullPolicy": {},
                        "f:name": {},
                        "f:resources": {},
                        "f:terminationMessagePath": {},
                        "f:terminationMessagePolicy": {},
                    }
                },
                "f:dnsPolicy": {},
                "f:restartPolicy": {},
                "f:schedulerName": {},
                "f:securityContext": {},
                "f:terminationGracePeriodSeconds": {},
            },
        },
    },
}
"""The entry of who created ``deployment()``; ``before-first-apply`` has the same after managedFields were cleared."""


def patched(object_: Live, operations: list[dict[str, Any]]) -> Live:
    """The object's metadata after a JSON patch of it, as the API server would have it."""
    metadata = {
        "uid": object_.uid,
        "resourceVersion": "8",
        "labels": dict(object_.labels),
        "annotations": dict(object_.annotations),
    }
    managed: list[Any] | None = None
    for operation in operations:
        if operation["path"] == "/metadata/managedFields":
            managed = copy.deepcopy(operation["value"])
        elif operation["op"] == "remove":
            name = operation["path"].removeprefix("/metadata/annotations/").replace("~1", "/").replace("~0", "~")
            del metadata["annotations"][name]
        else:
            assert operation == {
                "op": "replace",
                "path": "/metadata/resourceVersion",
                "value": object_.resource_version,
            }
    body = {"apiVersion": object_.api_version, "metadata": metadata}
    if managed is None:
        return Live(
            **{name: getattr(live_of(body, object_.key), name) for name in Live.__struct_fields__ if name != "managed"},
            managed=object_.managed,
        )
    metadata["managedFields"] = managed
    return live_of(body, object_.key)
