"""Everything that looks at one object while it is compared, so that no object is read twice."""

from __future__ import annotations

from typing import Any

import msgspec

from gitops_bot.model.resource import ResourceKey
from gitops_bot.model.signal import Signal
from gitops_bot.review.signals import schema
from gitops_bot.review.signals.context import Context
from gitops_bot.review.signals.edit import SYNC_OPTIONS, options
from gitops_bot.review.signals.ignoring import sync_options
from gitops_bot.review.signals.models import object_references
from gitops_bot.review.signals.objects import ObjectRules

_KEEP = "helm.sh/resource-policy"


class Inspector(msgspec.Struct, frozen=True, kw_only=True):
    """The ``inspect`` of one target's comparison; targets that are judged alike have equal ones."""

    rules: ObjectRules
    kube_version: str = ""
    """``""``: no schema is asked."""
    protected: bool = False
    """Models must be named by version."""
    cascade: bool = False
    """The whole target goes by its Application's finalizer, not by pruning."""

    def __call__(
        self, key: ResourceKey, before: dict[str, Any] | None, after: dict[str, Any] | None
    ) -> tuple[Signal, ...]:
        """What the change of one object raises."""
        if self.cascade and before is not None and after is None:
            if _survives(key, before):
                return ()
            before = _prunable(before)
        found = self.rules(key, before, after)
        if self.protected:
            found += tuple(object_references(key, before, after))
        if self.kube_version:
            found += schema.check(key, after, self.kube_version)
        return found


def inspector_of(context: Context) -> Inspector:
    """The inspector for one target."""
    return Inspector(
        rules=ObjectRules(
            kube_version=context.kube_version,
            replaces=context.new is not None and "Replace=true" in sync_options(context.new),
        ),
        kube_version=context.kube_version if schema.supported(context.kube_version) else "",
        protected=context.protected,
        cascade=context.head is None and context.old is not None,
    )


def _survives(key: ResourceKey, body: dict[str, Any]) -> bool:
    """Whether a cascading deletion leaves an object: CRDs, ``Delete=false``, Helm's ``keep`` (Argo CD's rules)."""
    annotations = body["metadata"].get("annotations")
    keep = isinstance(annotations, dict) and annotations.get(_KEEP) == "keep"
    return key.kind == "CustomResourceDefinition" or keep or "Delete=false" in options(body)


def _prunable(body: dict[str, Any]) -> dict[str, Any]:
    """The object without ``Prune=false``, which holds off pruning and not a cascading deletion."""
    kept = sorted(options(body) - {"Prune=false", "Prune=confirm"})
    if len(kept) == len(options(body)):
        return body
    metadata = body["metadata"]
    annotations = {**metadata["annotations"], SYNC_OPTIONS: ",".join(kept)}
    return {**body, "metadata": {**metadata, "annotations": annotations}}
