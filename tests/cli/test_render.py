"""``gitops-bot render``: what cannot be read is an error that names it, and is not printed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gitops_bot.cli.main import run
from tests.conftest import Checkout

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {k: v}\n"


@pytest.mark.parametrize("options", [(), ("--show-secrets",)])
@pytest.mark.parametrize("data", ["{password: hunter2hunter2", "{colour: hunter2hunter2"])
def test_a_broken_file_is_named_with_its_line(
    repository: Callable[..., Checkout], capfd: pytest.CaptureFixture[str], data: str, options: tuple[str, ...]
) -> None:
    broken = f"{MAP % 'first'}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: second}}\ndata: {data}\n"
    checkout = repository({"bad/a.yaml": MAP % "a", "bad/b.yaml": broken, "ok/c.yaml": MAP % "c"})
    code = run(["render", "--repo", str(checkout.path), *options])
    shown = capfd.readouterr()
    assert code == 3
    assert "not rendered: directory:bad\n      bad/b.yaml cannot be read: line 9: did not find expected" in shown.err
    assert "name: c" in shown.out
    assert "hunter2" not in shown.out + shown.err
    assert "second" not in shown.out + shown.err
