"""A real MLflow tracking server on 127.0.0.1, for tests with the marker ``mlflow``."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

_SCRIPT = Path(__file__).parent / "tools" / "mlflow.sh"
_OURS = subprocess.run([str(_SCRIPT), "--if-there"], capture_output=True, text=True, check=False).stdout.strip()
"""Where the script put it, looked up before the home is hidden."""


class Tracking(NamedTuple):
    url: str

    def post(self, what: str, **fields: Any) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.url}/api/2.0/mlflow/{what}", json.dumps(fields).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def run(self, experiment: str, auc: float, *, tags: dict[str, str] | None = None, data: str = "") -> dict[str, Any]:
        listed = [{"key": key, "value": value} for key, value in (tags or {}).items()]
        run = self.post("runs/create", experiment_id=experiment, start_time=1, tags=listed)["run"]["info"]
        self.post("runs/log-metric", run_id=run["run_id"], key="auc", value=auc, timestamp=1)
        self.post("runs/log-metric", run_id=run["run_id"], key="loss", value="NaN", timestamp=1)
        if data:
            dataset = {"name": "customers", "digest": data, "source_type": "s3", "source": "s3://datasets/churn"}
            self.post("runs/log-inputs", run_id=run["run_id"], datasets=[{"dataset": dataset}])
        return run


@pytest.fixture(scope="session")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracking]:
    """A tracking server with its own database, answering. Several tests use it, so each has names of its own."""
    program = shutil.which("mlflow") or _OURS
    if not program:
        pytest.skip("there is no MLflow; tests/tools/mlflow.sh brings one")
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [program, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
         "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "artifacts")],
        cwd=folder,
        env={**os.environ, "PATH": f"{os.path.dirname(program)}:{os.environ['PATH']}", "DO_NOT_TRACK": "true"},
        stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        _until_healthy(f"http://127.0.0.1:{port}/health", process, folder / "log")
        yield Tracking(f"http://127.0.0.1:{port}")
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # asked kindly it takes ten seconds, and nothing of it is kept
        process.wait(timeout=30)
        log.close()


def _until_healthy(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"MLflow did not answer within two minutes: {log.read_text()}")
