"""Small streams and strategies that the tests of comparing share."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from gitops_bot.manifests import yaml


def stream(*bodies: dict[str, Any]) -> bytes:
    """The objects as a rendered stream."""
    return b"".join(b"---\n" + yaml.dump(body).encode() for body in bodies)


def body(kind: str = "ConfigMap", name: str = "x", api: str = "v1", **fields: Any) -> dict[str, Any]:
    """An object; ``metadata`` adds to its name."""
    metadata = {"name": name, **fields.pop("metadata", {})}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **fields}


def deployment(name: str = "api", labels: dict[str, str] | None = None, **container: Any) -> dict[str, Any]:
    """A Deployment with one container."""
    template = {
        "metadata": {"labels": labels or {"app": name}},
        "spec": {"containers": [{"name": "api", "image": "api:1", **container}]},
    }
    return body("Deployment", name, "apps/v1", spec={"replicas": 2, "template": template})


_TEXT = st.sampled_from(["a", "b", "1", "true", "x: y", "p\nq\n", "", "- a", "#"])
_LEAF = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from([1.5, 0.1]) | _TEXT
_KEYS = st.sampled_from(["a", "b", "name", "env", "ports", "containers", "args", "annotations", "labels", "y", "k/v"])
VALUES = st.recursive(
    _LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=12
)
_MAPS = st.dictionaries(_KEYS, VALUES, max_size=4)
_TEXTS = st.dictionaries(st.sampled_from(["a", "b", "checksum/x", "helm.sh/chart", "chart"]), _TEXT, max_size=3)

BODIES = st.builds(
    lambda kind, name, space, labels, annotations, spec: {
        "apiVersion": kind[0],
        "kind": kind[1],
        "metadata": {
            "name": name,
            **({"namespace": space} if space else {}),
            **({"labels": labels} if labels else {}),
            **({"annotations": annotations} if annotations else {}),
        },
        **({"data": {key: str(value) for key, value in spec.items()}} if kind[0] == "v1" else {"spec": spec}),
    },
    st.sampled_from([("v1", "ConfigMap"), ("v1", "Secret"), ("apps/v1", "Deployment"), ("acme.io/v1", "Thing")]),
    st.sampled_from(["x", "y", "x-2456789bcd", "x-fghkm24567"]),
    st.sampled_from(["", "n"]),
    _TEXTS,
    _TEXTS,
    _MAPS,
)
"""Objects of few kinds and names, so that two lists of them share many."""
STREAMS = st.lists(BODIES, max_size=5)
