"""What a tool says is shown without what it quotes of its inputs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gitops_bot.render.engines.blame import without_secrets

BIRD = "hunter2Zq9"


@pytest.mark.parametrize(
    ("patches", "reason"),
    [
        (f"patches:\n- patch: |\n    {{bad: {BIRD}\n", "unable to parse SM or JSON patch from"),
        (f"patches:\n- patch: |\n    data:\n      x: {BIRD}\n", "unable to parse SM or JSON patch from"),
        (f"patchesStrategicMerge:\n- |\n  data: {{x: {BIRD}\n", "evalsymlink failure on"),
        (
            f'patchesJson6902:\n- {{target: {{kind: ConfigMap, name: a, version: v1}}, patch: "[{{op: add, value: {BIRD}"}}\n',
            "decoding",
        ),
    ],
)
def test_an_inline_patch_that_cannot_be_read_is_not_quoted(
    tmp_path: Path, kustomize: str, patches: str, reason: str
) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    (tmp_path / "kustomization.yaml").write_text(f"resources: [a.yaml]\n{patches}")
    run = subprocess.run([kustomize, "build", tmp_path], capture_output=True, text=True, check=False)
    assert BIRD in run.stderr
    files = {"kustomization.yaml": (tmp_path / "kustomization.yaml").read_bytes()}
    told = without_secrets(run.stderr, files, ())
    assert BIRD not in told
    assert "trouble configuring builtin Patch" in told
    assert told.endswith(reason)


def test_other_complaints_stay_as_they_are() -> None:
    told = "trouble configuring builtin PrefixTransformer: a `word`: another"
    assert without_secrets(told, {}, ()) == told
