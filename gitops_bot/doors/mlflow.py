"""The door to an MLflow tracking server: which version of a model an alias means, and what is known of it. GET only.

MLflow's webhooks cannot call GitHub, so a scheduled job asks. The REST API is the one that MLflow's own client uses
(``/api/2.0/mlflow``, tried with MLflow 3); a token is bound to the server's URL like every other credential.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from gitops_bot.doors.http import Client, Reach
from gitops_bot.errors import BotError, FetchError, UsageError
from gitops_bot.model import typed
from gitops_bot.model import url as urls

_API = "/api/2.0/mlflow"
_LARGEST = 4 * 1024 * 1024
_DATA_TAGS = ("data_version", "dataVersion", "data.version")
_COMMIT_TAGS = ("mlflow.source.git.commit", "git_commit")
_HINT = "check the URL of the tracking server, and its credential in the file of GITOPS_BOT_FETCH_CREDENTIALS"


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a registered model."""

    name: str
    version: str
    """The registry's number, which never means another model: ``7``."""
    path: str
    """Where its files are (``s3://…``)."""
    data: str = ""
    """Version of its training data: the tag ``data_version`` of the version or the run, else the digest of the run's
    first data set; ``""`` when neither is there."""
    run_id: str = ""
    run_url: str = ""
    page_url: str = ""
    commit: str = ""
    """Of the training code, as the run's tags name it."""
    metrics: Mapping[str, float] = {}
    """The run's latest."""


class _Pair(msgspec.Struct, frozen=True):
    key: str = ""
    value: str = ""


class _Number(msgspec.Struct, frozen=True):
    key: str = ""
    value: float | str = 0.0


class _Version(msgspec.Struct, frozen=True):
    name: str
    version: str
    source: str = ""
    run_id: str = ""
    tags: tuple[_Pair, ...] = ()


class _VersionAnswer(msgspec.Struct, frozen=True):
    model_version: _Version


class _Place(msgspec.Struct, frozen=True):
    artifact_uri: str = ""


class _Dataset(msgspec.Struct, frozen=True):
    name: str = ""
    digest: str = ""


class _Input(msgspec.Struct, frozen=True):
    dataset: _Dataset = _Dataset()


class _Inputs(msgspec.Struct, frozen=True):
    dataset_inputs: tuple[_Input, ...] = ()


class _RunInfo(msgspec.Struct, frozen=True):
    experiment_id: str = ""


class _RunData(msgspec.Struct, frozen=True):
    metrics: tuple[_Number, ...] = ()
    tags: tuple[_Pair, ...] = ()


class _Run(msgspec.Struct, frozen=True):
    info: _RunInfo = _RunInfo()
    data: _RunData = _RunData()
    inputs: _Inputs = _Inputs()


class _RunAnswer(msgspec.Struct, frozen=True):
    run: _Run


class _Problem(msgspec.Struct, frozen=True):
    error_code: str = ""
    message: str = ""


_T = TypeVar("_T", bound=msgspec.Struct)


class MlflowError(BotError):
    """The tracking server refused, does not know what it was asked for, or is none."""

    exit_code = FetchError.exit_code


class Mlflow:
    """One tracking server."""

    def __init__(self, uri: str, client: Client) -> None:
        """Take its URL (``https://mlflow.example.org``) and the way to reach it. Raises UsageError for no such URL."""
        try:
            place = urls.parse(uri)
        except ValueError as error:
            raise UsageError(f"{urls.shown(uri)} is no URL of an MLflow server: {error}", hint=_HINT) from None
        if place.scheme not in ("http", "https") or place.query:
            raise UsageError(f"{urls.shown(uri)} is no URL of an MLflow server", hint="write https://HOST[/PATH]")
        self._place = place
        self._base = str(place)
        self._client = client

    def by_alias(self, name: str, alias: str) -> Registered:
        """The version that an alias of a registered model means now. Raises MlflowError and FetchError."""
        found = self._get("registered-models/alias", _VersionAnswer, name=name, alias=alias)
        return self._registered(found.model_version)

    def by_version(self, name: str, version: str) -> Registered:
        """One version of a registered model. Raises as ``by_alias``."""
        found = self._get("model-versions/get", _VersionAnswer, name=name, version=version)
        return self._registered(found.model_version)

    def _registered(self, version: _Version) -> Registered:
        place = self._get("model-versions/get-download-uri", _Place, name=version.name, version=version.version)
        run = self._get("runs/get", _RunAnswer, run_id=version.run_id).run if version.run_id else _Run()
        tags = {pair.key: pair.value for pair in (*run.data.tags, *version.tags)}
        digests = [each.dataset.digest for each in run.inputs.dataset_inputs if each.dataset.digest]
        experiment = quote(run.info.experiment_id, safe="")
        run_url = f"{self._base}/#/experiments/{experiment}/runs/{quote(version.run_id, safe='')}"
        return Registered(
            name=version.name,
            version=version.version,
            path=place.artifact_uri or version.source,
            data=next((tags[key] for key in _DATA_TAGS if tags.get(key)), digests[0] if digests else ""),
            run_id=version.run_id,
            run_url=run_url if version.run_id and experiment else "",
            page_url=f"{self._base}/#/models/{quote(version.name, safe='')}/versions/{quote(version.version, safe='')}",
            commit=next((tags[key] for key in _COMMIT_TAGS if tags.get(key)), ""),
            metrics=dict(
                sorted((each.key, number) for each in run.data.metrics if (number := _number(each)) is not None)
            ),
        )

    def _get(self, what: str, kind: type[_T], **query: str) -> _T:
        url = f"{self._base}{_API}/{what}?{urlencode(query)}"
        answer = self._client.get(url, self._reach, headers={"Accept": "application/json"}, size=_LARGEST)
        if answer.status != 200:
            raise self._refused(answer.status, answer.body, query)
        try:
            return typed.decode(answer.body, kind, strict=False)
        except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
            raise MlflowError(f"{self._base} does not answer as an MLflow server does", hint=_HINT) from None

    def _reach(self, url: str) -> Reach:
        """Only this server is asked: a redirect to another one is refused."""
        try:
            return "trusted" if self._place.covers(urls.parse(url)) else "refused"
        except ValueError:
            return "refused"

    def _refused(self, status: int, body: bytes, query: Mapping[str, str]) -> MlflowError:
        asked = ", ".join(f"{name} {value}" for name, value in query.items())
        try:
            problem = typed.decode(body, _Problem)
        except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
            problem = _Problem()
        if status in (401, 403):
            return MlflowError(f"{self._base} refuses access (HTTP {status})", hint=_HINT)
        if status == 404 or problem.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return MlflowError(f"{self._base} knows no model with {asked}", hint="check the names of model and alias")
        return MlflowError(f"{self._base} answers HTTP {status} for {asked}", hint=_HINT)


def _number(metric: Any) -> float | None:
    """A finite metric; MLflow writes ``NaN`` and infinities as texts."""
    try:
        value = float(metric.value)
    except (TypeError, ValueError):
        return None
    return value if abs(value) < float("inf") else None
