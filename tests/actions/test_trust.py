import pytest

from gitops_bot.actions.event import activity
from gitops_bot.actions.inputs import Inputs
from gitops_bot.actions.trust import refusal
from tests.actions import payloads as p

OWN, LATER = "d" * 40, "e" * 40
"""The workflow's own commit, and a head that was pushed after the event."""


def happened(event, payload):
    return activity(event, payload, "refs/heads/main")


TARGET = happened("pull_request_target", p.pull_request("synchronize", head_repository=p.FORK))
TARGET_HERE = happened("pull_request_target", p.pull_request("synchronize"))
OF_FORK = happened("workflow_run", p.workflow_run(head_repository=p.FORK))
OF_NOBODY = happened("workflow_run", p.workflow_run(head_repository=None))
COMMENT = happened("issue_comment", p.comment())


@pytest.mark.parametrize(
    ("found", "checked_out", "told"),
    [
        (TARGET, p.HEAD, "the head of pull request 7 while the event pull_request_target"),
        (TARGET, p.MERGE, "the head of pull request 7"),
        (TARGET, LATER, "neither the base of pull request 7 nor the workflow's own commit"),
        (TARGET_HERE, p.HEAD, "the head of pull request 7"),
        (TARGET_HERE, LATER, "neither the base"),
        (OF_FORK, p.HEAD, "the head of a fork while the event workflow_run"),
        (OF_FORK, LATER, "not the workflow's own commit while the event workflow_run"),
        (OF_NOBODY, p.HEAD, "the head of a fork"),
        (COMMENT, p.HEAD, "not the workflow's own commit while the event issue_comment"),
    ],
)
def test_refused(found, checked_out, told):
    reason = refusal(found, Inputs(), checked_out, trusted=(OWN,))
    assert reason is not None
    assert told in reason
    assert "allow_untrusted_head" in reason
    assert refusal(found, Inputs(allow_untrusted_head=True), checked_out, trusted=(OWN,)) is None


@pytest.mark.parametrize(
    ("found", "checked_out"),
    [
        *((each, commit) for each in (TARGET, TARGET_HERE, OF_FORK, OF_NOBODY, COMMENT) for commit in ("", OWN)),
        (TARGET, p.BASE),
        (happened("pull_request", p.pull_request("synchronize", head_repository=p.FORK)), p.HEAD),
        (happened("pull_request", p.pull_request("synchronize")), p.MERGE),
        (happened("workflow_run", p.workflow_run()), p.HEAD),
        (happened("issue_comment", p.comment(pull=False)), p.HEAD),
        (happened("push", p.push("refs/heads/main")), p.HEAD),
        (happened("merge_group", p.merge_group()), p.HEAD),
        (happened("pull_request_target", p.pull_request("closed")), p.HEAD),
    ],
)
def test_allowed(found, checked_out):
    assert refusal(found, Inputs(), checked_out, trusted=(OWN,)) is None
