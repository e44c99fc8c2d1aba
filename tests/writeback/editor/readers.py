"""Three readers that share no code with the editor's proof: PyYAML's pure loader, ruamel.yaml (YAML 1.2) and Go's."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML

_BUILD = Path(__file__).parents[2] / "tools" / "build.sh"


def find_goyaml() -> str | None:
    """The program `goyaml`, when it has been built; looked for before the tests' home is sealed."""
    found = subprocess.run([_BUILD, "goyaml", "--if-built"], capture_output=True, text=True, check=False)
    return os.path.join(found.stdout.strip(), "goyaml") if found.stdout.strip() else None


class GoYaml:
    """One process that reads many streams, as Kubernetes and Helm do and as kustomize does."""

    def __init__(self, program: str) -> None:
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def read(self, data: bytes) -> dict[str, list[Any]]:
        """Every document of a stream by reader; fails the test when one cannot read it."""
        answers = self.answers([data])[0]
        for reader, answer in answers.items():
            assert "error" not in answer, f"{reader} cannot read it: {answer['error']}\n{data!r}"
        return {reader: answer["documents"] for reader, answer in answers.items()}

    def answers(self, streams: Iterable[bytes]) -> list[dict[str, Any]]:
        """For each stream what every reader says of it."""
        asked = [base64.b64encode(data).decode() for data in streams]
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        answers = []
        for each in asked:  # one after another, so that neither pipe fills up
            stdin.write(json.dumps([each]).encode() + b"\n")
            stdin.flush()
            answers.append(json.loads(stdout.readline()))
        return answers

    def close(self) -> None:
        """Let the process end by itself."""
        self._process.communicate(timeout=20)


def pyyaml(data: bytes) -> list[Any]:
    """Every document as PyYAML's own pure loader has it, dates as dates."""
    return list(yaml.load_all(data.decode("utf-8-sig"), yaml.SafeLoader))


def ruamel(data: bytes) -> list[Any]:
    """Every document as ruamel.yaml has it, which reads YAML 1.2 unless a directive says otherwise."""
    reader = YAML(typ="safe", pure=True)
    reader.allow_duplicate_keys = True
    return list(reader.load_all(data.decode("utf-8-sig")))


def _is_key(read: str, written: str) -> bool:
    """Whether a key was read from this text: a workflow's ``on`` is a boolean to readers of YAML 1.1."""
    return read == written or (read.lower() == "true" and written.lower() in ("on", "yes", "y"))


def get(document: Any, path: Iterable[object]) -> Any:
    """What stands at a path of keys and indexes, keys compared as text."""
    for step in path:
        if isinstance(document, list):
            document = document[int(str(step))]
        else:
            document = next(value for key, value in document.items() if _is_key(str(key), str(step)))
    return document
