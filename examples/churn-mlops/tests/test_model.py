from __future__ import annotations

import pytest

from churn_mlops import batch, train
from churn_mlops.model import Model, ModelError, sigmoid

HYPERPARAMETERS = {"epochs": 100, "learning_rate": 0.5, "l2": 0.001}


@pytest.fixture(scope="module")
def model(table: bytes) -> Model:
    return train.train(table, name="churn-model", version="v1.2.3", **HYPERPARAMETERS)


def test_training_learns_and_is_reproducible(table: bytes, model: Model) -> None:
    assert model.metrics["auc"] > 0.9
    assert model.weights["support_calls"] > 0 > model.weights["tenure_months"]
    again = train.train(table, name="churn-model", version="v1.2.3", **HYPERPARAMETERS)
    assert again.to_json() == model.to_json()


def test_a_model_survives_storing(model: Model) -> None:
    assert Model.from_json(model.to_json()) == model


@pytest.mark.parametrize("data", [b"", b"[]", b'{"name": "x"}', b"\xff\xfe"])
def test_what_is_no_model_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError):
        Model.from_json(data)


def test_missing_and_unknown_features_are_named(model: Model) -> None:
    with pytest.raises(ModelError, match=r"missing: \['support_calls'\], unknown: \['age'\]"):
        model.probability({"tenure_months": 3, "age": 30})


def test_sigmoid_does_not_overflow() -> None:
    assert sigmoid(1000) == 1.0
    assert sigmoid(-1000) == 0.0
    assert sigmoid(0) == 0.5


@pytest.mark.parametrize(
    ("scores", "labels", "expected"),
    [([0.1, 0.9], [0, 1], 1.0), ([0.9, 0.1], [0, 1], 0.0), ([0.5, 0.5], [0, 1], 0.5), ([0.2, 0.3], [1, 1], 0.5)],
)
def test_auc(scores: list[float], labels: list[int], expected: float) -> None:
    assert train.auc(scores, labels) == expected


def test_batch_scores_every_customer_in_order(table: bytes, model: Model) -> None:
    lines = batch.score(model, table).decode().splitlines()
    assert lines[0] == "customer_id,probability,model_version"
    assert [line.split(",")[0] for line in lines[1:]] == [f"c{number}" for number in range(400)]


def test_a_label_that_is_no_label_is_refused() -> None:
    with pytest.raises(ValueError, match="churned has to be 0 or 1"):
        train.train(b"a,churned\n1,maybe\n", name="m", version="v1.0.0", **HYPERPARAMETERS)
