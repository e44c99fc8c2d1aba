"""A model is written whole, pinned and measured, or not at all."""

from __future__ import annotations

import pytest

from gitops_bot.model.moving import is_moving_tag
from gitops_bot.writeback.bumps.models import Metric, incomplete, inconsistent, metrics_table, missed
from gitops_bot.writeback.bumps.request import ModelRequest

OLD = {"version": "v1.2.3", "path": "s3://models/churn/v1.2.3/", "data": "sha256:ab"}


def model(**given):
    whole = {"name": "churn", "version": "v1.3.0", "path": "s3://models/churn/v1.3.0/", "data": "sha256:cd"}
    return ModelRequest(**{**whole, **given})


@pytest.mark.parametrize("part", ["version", "path", "data"])
def test_whatever_a_rule_writes_must_be_given(part):
    (reason,) = incomplete(model(**{part: ""}), ["data", "path", "version"])
    assert "is missing" in reason
    assert list(incomplete(model(**{part: ""}), [each for each in OLD if each != part])) == []


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({}, False),
        ({"data": "sha256:ab"}, False),
        ({"path": OLD["path"]}, True),
        ({"version": "v1.2.3"}, True),
        ({"version": "v1.2.3", "path": OLD["path"]}, False),
        ({"path": ""}, False),
    ],
)
def test_version_and_path_move_together(given, refused):
    assert bool(list(inconsistent(model(**given), OLD))) is refused


def test_where_there_was_nothing_anything_goes():
    assert list(inconsistent(model(), {})) == []


@pytest.mark.parametrize(
    ("tag", "moving"),
    [("latest", True), ("main", True), ("stable", True), ("sha-abc1234", False), ("sha-deadbee", False), ("v1", False),
     ("deadbeef", False), ("nightly", True), ("Latest", True), ("2026-08-20", False)],
)  # fmt: skip
def test_tags_that_name_no_build(tag, moving):
    assert is_moving_tag(tag) is moving


@pytest.mark.parametrize(
    ("condition", "value", "passes"),
    [(">= 0.80", 0.8, True), (">= 0.80", 0.79, False), ("< 3", 3, False), ("<=3", 3, True), ("== 1", 1.0, True),
     ("> -0.5", -0.4, True), (">= 0.80", None, False), ("", 0.5, None)],
)  # fmt: skip
def test_thresholds(condition, value, passes):
    assert Metric("auc", None, value, condition).passes is passes


def test_the_table_has_every_metric_and_every_threshold():
    found = metrics_table({"f1": 0.6, "auc": 0.87}, {"auc": 0.83, "gone": 1.0}, {"recall": ">= 0.5", "auc": ">= 0.80"})
    assert [(each.name, each.old, each.new, each.passes) for each in found] == [
        ("auc", 0.83, 0.87, True), ("recall", None, None, False), ("f1", None, 0.6, None),
    ]  # fmt: skip
    assert found[0].delta == pytest.approx(0.04)
    assert missed(found) == ("recall is not given, and must be >= 0.5",)
