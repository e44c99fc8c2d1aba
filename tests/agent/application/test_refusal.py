"""Which operations are carried out: those that name what is followed, in any way that is true."""

from __future__ import annotations

import pytest

from gitops_bot.agent.application.operation import refusal
from gitops_bot.agent.application.state import SyncOperation

A, B = "a" * 40, "b" * 40
ONE = ({"repoURL": "https://git.example/shop", "targetRevision": "main", "path": "k8s"},)
HEAD = ({"repoURL": "https://git.example/shop", "path": "k8s"},)
CHART = {"repoURL": "https://charts.example", "chart": "redis", "targetRevision": "1.2.3"}
TWO = (*ONE, CHART)


@pytest.mark.parametrize(
    ("sync", "commits", "sources"),
    [
        (SyncOperation(), (A,), ONE),
        (SyncOperation(revision=A), (A,), ONE),
        (SyncOperation(revision=A[:7].upper()), (A,), ONE),
        (SyncOperation(revision="main"), (A,), ONE),
        (SyncOperation(revision="HEAD"), (A,), HEAD),
        (SyncOperation(revision=B), (), ONE),  # nobody knows what is followed: why is told by a condition
        (SyncOperation(source={**ONE[0], "helm": None}), (A,), ONE),
        (SyncOperation(revisions=(A, "1.2.3")), (A, ""), TWO),
        (SyncOperation(revisions=("main", "")), (A, ""), TWO),
        (SyncOperation(sources=TWO), (A, ""), TWO),
        (SyncOperation(revision="1.2.3"), ("",), (CHART,)),
    ],
)
def test_what_names_what_is_followed_is_done(sync, commits, sources):
    assert refusal(sync, commits, sources, several=len(sources) > 1) == ""


@pytest.mark.parametrize(
    ("sync", "commits", "sources", "words"),
    [
        (SyncOperation(revision=B), (A,), ONE, f"it asks for {B}, and main at aaaaaaaa is followed: to go back, revert"),
        (SyncOperation(revision=A[:6]), (A,), ONE, "it asks for aaaaaa, and main at"),
        (SyncOperation(revision="main"), (A,), HEAD, "it asks for main, and HEAD at aaaaaaaa is followed"),
        (SyncOperation(revision="1.2.4"), ("",), (CHART,), "it asks for 1.2.4, and 1.2.3 is followed"),
        (SyncOperation(revisions=(A, "1.2.4")), (A, ""), TWO, "it asks for 1.2.4, and 1.2.3 is followed"),
        (SyncOperation(revisions=(A,)), (A, ""), TWO, "it names 1 revisions for 2 sources"),
        (SyncOperation(source={**ONE[0], "path": "other"}), (A,), ONE, "it names another source than spec does"),
        (SyncOperation(sources=ONE), (A, ""), TWO, "it names another source than spec does"),
        (SyncOperation(manifests=("kind: x",)), (), ONE, "it brings manifests of its own"),
    ],
)  # fmt: skip
def test_what_names_something_else_is_not(sync, commits, sources, words):
    assert refusal(sync, commits, sources, several=len(sources) > 1).startswith(words)
