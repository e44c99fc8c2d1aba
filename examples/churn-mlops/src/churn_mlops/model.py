"""The model: a logistic regression over named features, as plain data."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass


class ModelError(Exception):
    """A model that cannot be read, or is not the one that was asked for."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A trained model; scores are probabilities between 0 and 1."""

    name: str
    version: str
    weights: dict[str, float]
    """By feature name."""
    means: dict[str, float]
    scales: dict[str, float]
    """Standard deviation of each feature in the training data, 1.0 where it was constant."""
    intercept: float
    data_version: str
    """``sha256:…`` of the training data."""
    metrics: dict[str, float]

    def contributions(self, features: Mapping[str, float]) -> dict[str, float]:
        """What each feature adds to the log-odds. Raises ModelError for missing or unknown features."""
        missing = sorted(self.weights.keys() - features.keys())
        unknown = sorted(features.keys() - self.weights.keys())
        if missing or unknown:
            raise ModelError(f"features missing: {missing}, unknown: {unknown}")
        return {
            name: weight * (features[name] - self.means[name]) / self.scales[name]
            for name, weight in self.weights.items()
        }

    def probability(self, features: Mapping[str, float]) -> float:
        """Probability that this customer leaves. Raises ModelError for missing or unknown features."""
        return sigmoid(self.intercept + math.fsum(self.contributions(features).values()))

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), indent=2, sort_keys=True).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> Model:
        """Read what ``to_json`` wrote. Raises ModelError for anything else."""
        try:
            document = json.loads(data)
            model = cls(**document)
            if not model.weights.keys() == model.means.keys() == model.scales.keys():
                raise ModelError("weights, means and scales name different features")
            return model
        except (ValueError, TypeError, AttributeError) as error:
            raise ModelError(f"not a model: {error}") from error


def sigmoid(logit: float) -> float:
    """The logistic function, without overflow at either end."""
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    grown = math.exp(logit)
    return grown / (1 + grown)
