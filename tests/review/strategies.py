"""Runs as hypothesis makes them up: targets of every status, changes that repeat over targets, namespaces and names."""

from __future__ import annotations

from hypothesis import strategies as st

from gitops_bot.model.change import FieldChange, ResourceChange, TargetChanges
from gitops_bot.model.resource import ResourceKey
from gitops_bot.review.report import Outcome

values = st.one_of(st.none(), st.booleans(), st.integers(0, 2), st.just(1.0), st.sampled_from(["a", "web", "1"]))
fields = st.builds(
    FieldChange, path=st.sampled_from(["spec.replicas", "data.x"]), before=values, after=values | st.lists(values)
)
_ACTIONS = {"added": "added", "removed": "removed", "changed": "changed", "noise": "changed", "ignored": "changed"}


@st.composite
def changes(draw):
    bucket = draw(st.sampled_from(sorted(_ACTIONS)))
    return ResourceChange(
        action=_ACTIONS[bucket],
        bucket=bucket,
        key=ResourceKey(
            draw(st.sampled_from(["", "apps"])),
            draw(st.sampled_from(["Deployment", "Namespace", "PersistentVolumeClaim"])),
            draw(st.sampled_from(["", "a", "b"])),
            draw(st.sampled_from(["web", "api", "x"])),
        ),
        api_version="v1",
        hook=draw(st.sampled_from([None, "PreSync"])),
        fields=tuple(draw(st.lists(fields, max_size=2))),
        hidden=draw(st.integers(0, 1)),
        diff=draw(st.sampled_from(["", "-a: 1\n+a: 2\n", " ctx\n-a: 1\n+a: 2\n", "+  name: web\n", "+  name: api\n"])),
    )


@st.composite
def outcomes(draw):
    found = []
    for index in range(draw(st.integers(0, 6))):
        status = draw(st.sampled_from(["unchanged", "changed", "added", "removed", "failed", "skipped"]))
        compared = status in ("changed", "added", "removed") or (status == "unchanged" and draw(st.booleans()))
        some = draw(st.lists(changes(), max_size=4, unique_by=lambda change: change.key)) if compared else []
        found.append(
            Outcome(
                id=f"apps/{index}",
                name=draw(st.sampled_from(["one", "two", f"app-{index}"])),
                file="apps",
                kind="Kustomize",
                status=status,
                reaches=draw(st.sampled_from(["", "v*"])),
                changes=TargetChanges(changes=tuple(some), unchanged=draw(st.integers(0, 3))) if compared else None,
            )
        )
    return found
