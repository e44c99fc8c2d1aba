"""Settings of the API, from the environment variables that the chart sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the API serves, and how."""

    model_name: str
    model_version: str
    model_path: str
    """Directory or key prefix that holds ``model.json``."""
    port: int = 8080
    """0 takes a free one."""
    decision_threshold: float = 0.5
    explain: bool = False
    log_level: str = "INFO"
    retry_seconds: float = 5.0
    """Pause between two attempts to load the model."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Raises ValueError naming every variable that is missing or unusable."""
        problems = [f"{name} is not set" for name in ("MODEL_VERSION", "MODEL_PATH") if not environ.get(name)]
        numbers: dict[str, float] = {}
        for name, default in (("PORT", "8080"), ("DECISION_THRESHOLD", "0.5"), ("MODEL_RETRY_SECONDS", "5")):
            try:
                numbers[name] = float(environ.get(name) or default)
            except ValueError:
                problems.append(f"{name} is not a number")
        level = environ.get("LOG_LEVEL", "info").upper()
        if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            problems.append("LOG_LEVEL is none of debug, info, warning, error")
        if problems:
            raise ValueError("; ".join(problems))
        return cls(
            model_name=environ.get("MODEL_NAME", "churn-model"),
            model_version=environ["MODEL_VERSION"],
            model_path=environ["MODEL_PATH"],
            port=int(numbers["PORT"]),
            decision_threshold=numbers["DECISION_THRESHOLD"],
            explain=environ.get("EXPLAIN_PREDICTIONS", "false").lower() == "true",
            log_level=level,
            retry_seconds=numbers["MODEL_RETRY_SECONDS"],
        )
