"""Running the tools: sealed, limited, without a trace, and with messages that read well."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gitops_bot.doors.process import Limits
from gitops_bot.errors import RenderError, ToolError
from gitops_bot.model.application import HelmOptions, HelmParameter, Source
from gitops_bot.render.engines.run import Program, Tools, run
from gitops_bot.render.prepared import InputFile, Prepared

CHART = {"app/Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.0.0\n"}
SPY = """#!/usr/bin/python3
import json, os, sys
files = sorted(os.path.join(d, f) for d, _, fs in os.walk("..") for f in fs)
print(json.dumps({"env": dict(os.environ), "argv": sys.argv[1:], "cwd": os.getcwd(), "files": files,
                  "modes": [oct(os.stat(f).st_mode & 0o777) for f in files], "path": os.listdir(os.environ["PATH"]) if os.path.exists(os.environ["PATH"]) else []}))
"""


def spy(tmp_path: Path, text: str = SPY) -> Tools:
    """Tools that are one program of our own: what it is given, it prints."""
    program = tmp_path / "spy"
    program.write_text(text)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return Tools(helm=Program((str(program),), "1"), kustomize=Program((str(program), "build"), "1"))


def prepared(*files: InputFile, **more: Any) -> Prepared:
    return Prepared(**{"renderer": "helm", "files": files, "directory": "repo", "arguments": ("x",), **more})


def test_the_tool_sees_its_files_and_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "KUBECONFIG", "SSH_AUTH_SOCK", "HELM_REGISTRY_CONFIG"):
        monkeypatch.setenv(name, "do-not-hand-on")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    files = (InputFile(path="repo/a/b.yaml", content=b"b"), InputFile(path="repo/link", link="a/b.yaml"))
    seen = json.loads(run(prepared(*files), spy(tmp_path), scratch=scratch))
    assert "do-not-hand-on" not in json.dumps(seen)
    assert seen["env"]["KUBECONFIG"] == "" and seen["env"]["https_proxy"] == "http://127.0.0.1:9"
    assert seen["files"] == ["../repo/a/b.yaml", "../repo/link"] and set(seen["modes"]) == {"0o600"}
    assert seen["argv"] == ["x"] and seen["path"] == []
    own = [name for name, value in seen["env"].items() if name.startswith(("HELM_", "XDG_", "HOME", "TMPDIR"))]
    assert all(seen["env"][name].startswith(str(scratch)) for name in own) and len(own) >= 8
    assert list(scratch.iterdir()) == []


def test_only_helm_is_on_path_and_only_when_it_is_needed(tmp_path: Path) -> None:
    tools = spy(tmp_path)
    plain = json.loads(run(prepared(renderer="kustomize"), tools, scratch=tmp_path))
    inflating = json.loads(run(prepared(renderer="kustomize", needs_helm=True), tools, scratch=tmp_path))
    assert (plain["path"], inflating["path"], plain["argv"]) == ([], ["helm"], ["build", "x"])


def test_a_tool_that_does_not_end_is_killed_and_named(tmp_path: Path) -> None:
    tools = spy(tmp_path, "#!/bin/sh\nexec /bin/sleep 600\n")
    with pytest.raises(RenderError, match=r"helm did not end within 0\.2 s and was killed: app"):
        run(prepared(directory="repo/app"), tools, scratch=tmp_path, limits=Limits(seconds=0.2))
    assert [path.name for path in tmp_path.iterdir()] == ["spy"]


def test_a_chart_that_never_ends_is_killed(workplace: Callable[..., Any], helm: str) -> None:
    template = "{{- range $i := until 2000000000 }}{{ $i }}{{ end }}"
    place = workplace({**CHART, "app/templates/x.yaml": template})
    with pytest.raises(RenderError, match=r"was killed|MiB of memory"):
        run(place.prepare(Source(path="app")), place.tools, scratch=place.scratch, limits=Limits(seconds=3))
    assert list(place.scratch.iterdir()) == []


def test_endless_output_is_cut_off(tmp_path: Path) -> None:
    tools = spy(tmp_path, "#!/bin/sh\nwhile :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done\n")
    with pytest.raises(RenderError, match="helm wrote more than 1 MiB of output and was killed"):
        run(prepared(), tools, scratch=tmp_path, limits=Limits(output=1 << 20))


def test_a_missing_tool_is_an_error_of_its_own(tmp_path: Path) -> None:
    for tools in (None, Tools(), Tools(helm=Program((str(tmp_path / "gone"),), "1"))):
        with pytest.raises(ToolError, match="helm"):
            run(prepared(), tools, scratch=tmp_path)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("a: {{ .Values.a.b.c }}\n", "helm: .*app/templates/x.yaml:1:"),
        ('{{ fail "no good" }}\n', "helm: .*app/templates/x.yaml.*no good"),
        ("a: {{ nope }}\n", 'helm: .*app/templates/x.yaml:1.*function "nope" not defined'),
        ("a: b: c\n", "helm: .*app/templates/x.yaml"),
    ],
)
def test_helm_errors_read_well(template: str, message: str, workplace: Callable[..., Any], helm: str) -> None:
    place = workplace({**CHART, "app/templates/x.yaml": template})
    with pytest.raises(RenderError) as caught:
        place.render(Source(path="app"))
    assert re.match(message, caught.value.message, re.DOTALL), caught.value.message
    assert str(place.scratch) not in caught.value.message and "--debug" not in caught.value.message


def test_kustomize_errors_read_well(workplace: Callable[..., Any], kustomize: str) -> None:
    place = workplace({"app/kustomization.yaml": "resources: [../base]\n", "base/kustomization.yaml": "wrong: 1\n"})
    with pytest.raises(RenderError) as caught:
        place.render(Source(path="app"))
    assert "invalid Kustomization" in caught.value.message and "base" in caught.value.message
    assert str(place.scratch) not in caught.value.message and "repo/" not in caught.value.message


def test_secret_values_are_not_in_messages(workplace: Callable[..., Any], helm: str, kustomize: str) -> None:
    secret = "c29tZXRoaW5nLXZlcnktc2VjcmV0"
    place = workplace(
        {
            **CHART,
            "app/templates/x.yaml": '{{ fail (printf "cannot use %s" .Values.password) }}\n',
            "k/kustomization.yaml": f"secretGenerator: [{{name: s, literals: [{secret}]}}]\n",
        }
    )
    parameters = (HelmParameter(name="password", value=secret, force_string=True),)
    for source in (Source(path="app", helm=HelmOptions(parameters=parameters)), Source(path="k")):
        with pytest.raises(RenderError) as caught:
            place.render(source)
        assert secret not in caught.value.message + caught.value.hint


def test_nothing_is_fetched_while_rendering(workplace: Callable[..., Any], kustomize: str, helm: str) -> None:
    asked: list[bytes] = []
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(0.2)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x.yaml"
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    asked.append(connection.recv(100))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            place = workplace({**CHART, "app/templates/x.yaml": "a: {{ getHostByName `localhost` | quote }}\n"})
            place.render(Source(path="app"))
            direct = InputFile(path="repo/kustomization.yaml", content=f"resources: [{url}]\n".encode())
            with pytest.raises(RenderError):
                place.run(prepared(direct, renderer="kustomize", arguments=(".",)))
        finally:
            stop.set()
            thread.join()
    assert asked == []


def test_many_renders_at_once_do_not_meet(workplace: Callable[..., Any], kustomize: str) -> None:
    files = {}
    for number in range(8):
        files[f"{number}/kustomization.yaml"] = "resources: [x.yaml]\n"
        files[f"{number}/x.yaml"] = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x{number}}}\n"
    place = workplace(files)
    made = [place.prepare(Source(path=str(number))) for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        outputs = list(pool.map(lambda one: run(one, place.tools, scratch=place.scratch), made))
    assert [f"name: x{number}".encode() in output for number, output in enumerate(outputs)] == [True] * 8
    assert os.listdir(place.scratch) == []
