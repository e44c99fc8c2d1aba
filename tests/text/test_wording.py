from __future__ import annotations

import pytest

from gitops_bot.model.change import FieldChange
from gitops_bot.text.view import Block, Member
from gitops_bot.text.wording import remarks


@pytest.mark.parametrize(
    ("path", "restarts"),
    [
        ('spec.template.metadata.annotations["checksum/config"]', True),
        ('spec.jobTemplate.spec.template.metadata.annotations["checksum/config"]', True),
        ('metadata.labels["helm.sh/chart"]', False),
    ],
)
def test_a_folded_checksum_of_a_pod_template_is_said_to_restart_pods(path, restarts):
    block = Block(
        action="changed",
        kind="Deployment",
        group="apps",
        members=(Member(namespace="a", name="web", targets=("web",)),),
        folded=(FieldChange(path=path, before="<checksum>", after="<checksum, changed>"),),
    )
    assert ("its pods restart" in remarks(block)) is restarts
