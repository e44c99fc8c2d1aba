"""Train a model on a table of customers: ``python -m churn_mlops.train --data FILE --output DIRECTORY``."""

from __future__ import annotations

import argparse
import hashlib
import math
import random
import sys

from churn_mlops import customers, store
from churn_mlops.model import Model, sigmoid


def fit(
    rows: list[dict[str, float]], labels: list[int], *, epochs: int, learning_rate: float, l2: float
) -> tuple[dict[str, float], float, dict[str, float], dict[str, float]]:
    """Weights, intercept, means and scales of a logistic regression, by full gradient descent on scaled features."""
    names = sorted(rows[0])
    count = len(rows)
    means = {name: math.fsum(row[name] for row in rows) / count for name in names}
    scales = {
        name: math.sqrt(math.fsum((row[name] - means[name]) ** 2 for row in rows) / count) or 1.0 for name in names
    }
    scaled = [[(row[name] - means[name]) / scales[name] for name in names] for row in rows]
    weights, intercept = [0.0] * len(names), 0.0
    for _ in range(epochs):
        errors = [
            sigmoid(intercept + sum(w * x for w, x in zip(weights, row, strict=True))) - label
            for row, label in zip(scaled, labels, strict=True)
        ]
        intercept -= learning_rate * math.fsum(errors) / count
        for index, weight in enumerate(weights):
            gradient = math.fsum(error * row[index] for error, row in zip(errors, scaled, strict=True)) / count
            weights[index] = weight - learning_rate * (gradient + l2 * weight)
    return dict(zip(names, weights, strict=True)), intercept, means, scales


def auc(scores: list[float], labels: list[int]) -> float:
    """Probability that a leaving customer scores above a staying one; ties count half. 0.5 when a class is missing."""
    ordered = sorted(zip(scores, labels, strict=True))
    positives = sum(labels)
    negatives = len(labels) - positives
    if not positives or not negatives:
        return 0.5
    ranks, index = 0.0, 0
    while index < len(ordered):
        end = index
        while end < len(ordered) and ordered[end][0] == ordered[index][0]:
            end += 1
        shared = (index + 1 + end) / 2
        ranks += shared * sum(label for _, label in ordered[index:end])
        index = end
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives)


def train(data: bytes, *, name: str, version: str, epochs: int, learning_rate: float, l2: float) -> Model:
    """A model from a CSV file; every fifth row (shuffled by a fixed seed) is held out to measure it.

    Raises ValueError for a table that cannot be trained on.
    """
    table = customers.read(data)
    if any(row.get(customers.LABEL) not in ("0", "1") for row in table):
        raise ValueError(f"column {customers.LABEL} has to be 0 or 1 in every row")
    pairs = [(customers.features(row, line), int(row[customers.LABEL])) for line, row in enumerate(table, start=2)]
    random.Random(0).shuffle(pairs)
    held_out, seen = pairs[::5], [pair for index, pair in enumerate(pairs) if index % 5]
    if not seen:
        raise ValueError("two rows are the least that can be trained on")
    weights, intercept, means, scales = fit(
        [row for row, _ in seen], [label for _, label in seen], epochs=epochs, learning_rate=learning_rate, l2=l2
    )
    version_of_data = "sha256:" + hashlib.sha256(data).hexdigest()
    model = Model(
        name=name,
        version=version,
        weights=weights,
        means=means,
        scales=scales,
        intercept=intercept,
        data_version=version_of_data,
        metrics={},
    )
    score = auc([model.probability(row) for row, _ in held_out], [label for _, label in held_out])
    model.metrics.update(auc=round(score, 4), rows=len(pairs))
    return model


def main(argv: list[str] | None = None) -> int:
    """Train and store one model; 1 when the data cannot be read or used."""
    parser = argparse.ArgumentParser(prog="churn_mlops.train", description=__doc__)
    parser.add_argument("--data", required=True, help="CSV with a churned column of 0 and 1")
    parser.add_argument("--output", required=True, help="directory or s3:// prefix that gets model.json")
    parser.add_argument("--name", default="churn-model")
    parser.add_argument("--version", default="", help="default: candidate-<first 7 digits of the data's digest>")
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--l2", type=float, default=0.001)
    options = parser.parse_args(argv)
    try:
        data = store.read(options.data)
        version = options.version or f"candidate-{hashlib.sha256(data).hexdigest()[:7]}"
        model = train(
            data,
            name=options.name,
            version=version,
            epochs=options.epochs,
            learning_rate=options.learning_rate,
            l2=options.l2,
        )
        where = options.output if options.version else store.join(options.output, version)
        store.write(store.join(where, "model.json"), model.to_json())
    except (store.StoreError, ValueError) as error:
        print(f"churn_mlops.train: {error}", file=sys.stderr)
        return 1
    print(f"{model.name} {model.version}: auc {model.metrics['auc']}, data {model.data_version}, in {where}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
