"""Brings the configured model into memory, and says why it is not there yet."""

from __future__ import annotations

import logging
import threading

from churn_mlops import store
from churn_mlops.model import Model, ModelError
from churn_mlops.settings import Settings

_LOG = logging.getLogger(__name__)


def load(path: str, name: str, version: str) -> Model:
    """The model at a path. Raises StoreError when it is not there, ModelError when it is another one."""
    model = Model.from_json(store.read(store.join(path, "model.json")))
    if (model.name, model.version) != (name, version):
        raise ModelError(f"found {model.name} {model.version}, configured is {name} {version}")
    return model


class Loader:
    """Holds the model once it is loaded; tries again until then."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="model-loader", daemon=True)
        self.model: Model | None = None
        """None until the configured version is in memory."""
        self.reason = "the model has not been looked for yet"
        """Why there is no model, for the readiness answer."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the attempts; returns when the current one is over."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        settings = self._settings
        while not self._stop.is_set():
            try:
                self.model = load(settings.model_path, settings.model_name, settings.model_version)
            except (store.StoreError, ModelError) as error:
                if str(error) != self.reason:
                    _LOG.warning("model not loaded: %s", error)
                self.reason = str(error)
                self._stop.wait(settings.retry_seconds)
            else:
                _LOG.info("serving %s %s", self.model.name, self.model.version)
                return
