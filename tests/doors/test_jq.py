"""jq deletes what it is told to, and a filter that never ends costs one call."""

from __future__ import annotations

import time

import pytest

from gitops_bot.doors.jq import JqError, JqWorker

BODY = {"spec": {"replicas": 2, "containers": [{"name": "a", "image": "x"}, {"name": "b"}]}}


@pytest.fixture(scope="module")
def worker():
    with JqWorker() as found:
        yield found


@pytest.mark.parametrize(
    ("expression", "left"),
    [
        (".spec.replicas", {"spec": {"containers": BODY["spec"]["containers"]}}),
        (".spec.containers[].image", {"spec": {"replicas": 2, "containers": [{"name": "a"}, {"name": "b"}]}}),
        ('.spec.containers[] | select(.name == "a")', {"spec": {"replicas": 2, "containers": [{"name": "b"}]}}),
        (".spec, .nothing", {}),
        (".nothing.here", BODY),
        (".spec.replicas.deeper", BODY),
        ("empty", BODY),
    ],
)
def test_paths_are_deleted(worker, expression, left):
    assert worker.delete([expression], [BODY, BODY]) == [left, left]


def test_expressions_follow_one_another(worker):
    assert worker.delete([".spec.replicas", ".spec.containers"], [BODY]) == [{"spec": {}}]
    assert worker.delete([], [BODY]) == [BODY]
    assert worker.delete([".a"], []) == []


@pytest.mark.parametrize("expression", [".spec[", ")|(1,2", ".spec) , (.spec", ".spec) | (.spec"])
def test_what_does_not_leave_one_object_is_refused(worker, expression):
    with pytest.raises(JqError) as caught:
        worker.delete([expression], [{"spec": 1}])
    assert expression in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("expression", ["def f: f; f", "[limit(1e9; repeat(1))]", "[range(1e9)] | .[0]"])
def test_a_filter_that_never_ends_is_killed_and_the_next_call_works(expression):
    with JqWorker(seconds=0.5) as worker:
        worker.delete([".a"], [{}])
        start = time.monotonic()
        with pytest.raises(JqError, match=r"did not end within 0\.5 s|broke off|not valid"):
            worker.delete([expression], [BODY])
        assert time.monotonic() - start < 10
        assert worker.delete([".spec"], [BODY]) == [{}]


def test_a_child_that_is_gone_is_an_error_once():
    with JqWorker() as worker:
        worker.delete([".a"], [{}])
        worker._child._process.kill()
        worker._child._process.wait()
        with pytest.raises(JqError, match="broke off"):
            worker.delete([".a"], [{}])
        assert worker.delete([".a"], [{"a": 1}]) == [{}]


def test_the_environment_is_not_there(worker, monkeypatch):
    monkeypatch.setenv("GITOPS_BOT_TEST_TOKEN", "hunter2")
    with JqWorker() as fresh:
        kept = fresh.delete(['.[env.GITOPS_BOT_TEST_TOKEN // "no"]'], [{"no": 1, "hunter2": 2}])
    assert kept == [{"hunter2": 2}]


def test_large_objects_pass(worker):
    big = {"a": ["x" * 1000] * 1000, "b": 1}
    assert worker.delete([".b"], [big]) == [{"a": big["a"]}]


def test_no_message_quotes_a_value(worker):
    with pytest.raises(JqError) as caught:
        worker.delete([".a) | (.a"], [{"a": "hunter2"}])
    assert "hunter2" not in str(caught.value)
