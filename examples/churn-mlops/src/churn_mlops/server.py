"""The API: ``POST /predict``, ``GET /healthz`` (alive) and ``GET /readyz`` (the configured model is in memory)."""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from churn_mlops.loader import Loader
from churn_mlops.model import Model, ModelError
from churn_mlops.settings import Settings

BODY_LIMIT = 64 * 1024
"""Bytes of the largest accepted request."""

_LOG = logging.getLogger("churn_mlops")


class BadRequest(ValueError):
    """A request that cannot be answered, and why."""


class Api(ThreadingHTTPServer):
    """The HTTP server, with the model it serves."""

    daemon_threads = True

    def __init__(self, settings: Settings, loader: Loader) -> None:
        super().__init__(("", settings.port), Handler)
        self.settings = settings
        self.loader = loader


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Api
    server_version = "churn-api"
    timeout = 30

    def do_GET(self) -> None:
        if self.path == "/healthz":
            self._answer(HTTPStatus.OK, {"status": "alive"})
        elif self.path == "/readyz":
            self._readiness()
        else:
            self._answer(HTTPStatus.NOT_FOUND, {"error": "there is /healthz, /readyz and POST /predict"})

    def do_POST(self) -> None:
        if self.path != "/predict":
            self._answer(HTTPStatus.NOT_FOUND, {"error": "there is POST /predict"})
            return
        model = self.server.loader.model
        if model is None:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "the model is not loaded"})
            return
        try:
            self._answer(HTTPStatus.OK, predict(model, self._features(), self.server.settings))
        except (BadRequest, ModelError) as error:
            self._answer(HTTPStatus.BAD_REQUEST, {"error": str(error)})

    def _readiness(self) -> None:
        loader = self.server.loader
        if loader.model is None:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, {"status": "loading", "reason": loader.reason})
        else:
            self._answer(
                HTTPStatus.OK, {"status": "ready", "model": loader.model.name, "version": loader.model.version}
            )

    def _features(self) -> dict[str, float]:
        """The features in the body. Raises BadRequest for anything but finite numbers by name."""
        length = self.headers.get("Content-Length") or ""
        if not length.isdecimal() or not 0 < int(length) <= BODY_LIMIT:
            raise BadRequest(f"send 1 to {BODY_LIMIT} bytes of JSON with a Content-Length")
        try:
            body = json.loads(self.rfile.read(int(length)), parse_int=float)
        except (ValueError, RecursionError) as error:
            raise BadRequest("the body is not JSON") from error
        features = body.get("features") if isinstance(body, dict) else None
        if not isinstance(features, dict):
            raise BadRequest('send {"features": {name: number}}')
        for name, value in features.items():
            if not isinstance(value, float) or not math.isfinite(value):
                raise BadRequest(f"feature {name} is not a number")
        return features

    def _answer(self, status: HTTPStatus, document: dict[str, Any]) -> None:
        body = json.dumps(document, sort_keys=True).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        _LOG.debug("%s " + format, self.client_address[0], *args)


def predict(model: Model, features: dict[str, float], settings: Settings) -> dict[str, Any]:
    """The answer to one prediction. Raises ModelError for missing or unknown features."""
    probability = model.probability(features)
    answer: dict[str, Any] = {
        "probability": round(probability, 6),
        "churn": probability >= settings.decision_threshold,
        "model": model.name,
        "version": model.version,
    }
    if settings.explain:
        answer["contributions"] = {name: round(part, 6) for name, part in sorted(model.contributions(features).items())}
    return answer


def main() -> int:
    """Serve until told to stop; 2 when the environment is unusable."""
    try:
        settings = Settings.from_environment(os.environ)
    except ValueError as error:
        print(f"churn-api: {error}", file=sys.stderr)
        return 2
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(message)s")
    loader = Loader(settings)
    with Api(settings, loader) as server:
        # shutdown() waits for serve_forever to end, so the signal handler must not call it in the same thread.
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda *_: threading.Thread(target=server.shutdown).start())
        loader.start()
        print(f"listening on port {server.server_port}", flush=True)
        server.serve_forever()
    loader.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
