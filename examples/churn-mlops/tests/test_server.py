from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from churn_mlops import loader, store, train
from churn_mlops.model import ModelError
from churn_mlops.server import Api
from churn_mlops.settings import Settings


@pytest.fixture
def model_path(table: bytes, tmp_path: Path) -> Path:
    model = train.train(table, name="churn-model", version="v1.2.3", epochs=20, learning_rate=0.5, l2=0.0)
    store.write(str(tmp_path / "model" / "model.json"), model.to_json())
    return tmp_path / "model"


@pytest.fixture
def api(model_path: Path) -> Iterator[Api]:
    settings = Settings(
        model_name="churn-model", model_version="v1.2.3", model_path=str(model_path), port=0, explain=True
    )
    with Api(settings, loader.Loader(settings)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def call(api: Api, path: str, body: Any = None) -> tuple[int, Any]:
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{api.server_port}{path}", data=data, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_alive_at_once_and_ready_with_the_model(api: Api) -> None:
    assert call(api, "/healthz")[0] == 200
    assert call(api, "/readyz")[0] == 503
    assert call(api, "/predict", {"features": {}})[0] == 503
    api.loader.start()
    api.loader._thread.join()
    assert call(api, "/readyz") == (200, {"status": "ready", "model": "churn-model", "version": "v1.2.3"})


def test_predictions(api: Api) -> None:
    api.loader.model = loader.load(api.settings.model_path, "churn-model", "v1.2.3")
    status, new = call(api, "/predict", {"features": {"tenure_months": 1, "support_calls": 7}})
    assert status == 200
    assert new["churn"] is True
    assert set(new["contributions"]) == {"tenure_months", "support_calls"}
    _, old = call(api, "/predict", {"features": {"tenure_months": 60, "support_calls": 0}})
    assert old["churn"] is False


@pytest.mark.parametrize("body", [[], {}, {"features": []}, {"features": {"tenure_months": "3"}}, {"features": {}}])
def test_bad_requests_say_what_is_wrong(api: Api, body: Any) -> None:
    api.loader.model = loader.load(api.settings.model_path, "churn-model", "v1.2.3")
    status, answer = call(api, "/predict", body)
    assert status == 400
    assert answer["error"]


@pytest.mark.parametrize(
    "body", [b"{", b"[" * 60_000, b'{"features": {"a": NaN}}', b'{"features": {"a": 1' + b"0" * 400 + b"}}"]
)
def test_hostile_bodies_are_refused(api: Api, body: bytes) -> None:
    api.loader.model = loader.load(api.settings.model_path, "churn-model", "v1.2.3")
    assert call(api, "/predict", body)[0] == 400


def test_another_version_is_not_loaded(model_path: Path) -> None:
    with pytest.raises(ModelError, match=r"found churn-model v1\.2\.3, configured is churn-model v1\.3\.0"):
        loader.load(str(model_path), "churn-model", "v1.3.0")


def test_models_come_from_an_object_store(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = partial(SimpleHTTPRequestHandler, directory=str(model_path.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as objects:
        thread = threading.Thread(target=objects.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("OBJECT_STORE_ENDPOINT", f"http://127.0.0.1:{objects.server_port}")
        assert loader.load("s3://model/", "churn-model", "v1.2.3").version == "v1.2.3"
        with pytest.raises(store.StoreError, match="HTTP 404"):
            store.read("s3://model/nothing.json")
        objects.shutdown()
        thread.join()


def test_an_object_store_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OBJECT_STORE_ENDPOINT", raising=False)
    with pytest.raises(store.StoreError, match="OBJECT_STORE_ENDPOINT"):
        store.read("s3://models/churn/v1.2.3/model.json")


def test_settings_name_every_problem() -> None:
    with pytest.raises(ValueError, match="MODEL_VERSION is not set; MODEL_PATH is not set; PORT is not a number"):
        Settings.from_environment({"PORT": "http"})
    settings = Settings.from_environment({"MODEL_VERSION": "v1.2.3", "MODEL_PATH": "/m", "PORT": "0"})
    assert replace(settings, port=8080) == Settings(
        model_name="churn-model", model_version="v1.2.3", model_path="/m", log_level="INFO"
    )
