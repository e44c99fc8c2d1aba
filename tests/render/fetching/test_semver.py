"""Version ranges, judged by Helm's own ``semverCompare``."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_bot.render.fetching.semver import Range, Version, is_exact, is_version, newest

NUMBERS = st.sampled_from(["0", "1", "2", "10"])
PARTS = st.one_of(NUMBERS, st.sampled_from(["x", "X", "*"]))
PRE = st.sampled_from(["", "", "", "-0", "-rc.1", "-rc.2", "-alpha", "-1.beta"])
BUILD = st.sampled_from(["", "", "", "+build.5"])
OPS = st.sampled_from(["", "=", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^", "^", ">= "])


@st.composite
def partials(draw: st.DrawFn) -> str:
    parts = draw(st.lists(PARTS, min_size=1, max_size=3))
    return draw(st.sampled_from(["", "v"])) + ".".join(parts) + draw(PRE) + draw(BUILD)


@st.composite
def ranges(draw: st.DrawFn) -> str:
    def terms() -> str:
        if draw(st.integers(0, 5)) == 0:
            return f"{draw(partials())} - {draw(partials())}"
        each = [draw(OPS) + draw(partials()) for _ in range(draw(st.integers(1, 3)))]
        return draw(st.sampled_from([" ", ", ", ","])).join(each)

    return " || ".join(terms() for _ in range(draw(st.integers(1, 2))))


VERSIONS = [
    f"{'.'.join(core)}{pre}"
    for core in itertools.product(["0", "1", "2", "10"], ["0", "1", "2"], ["0", "1", "3"])
    for pre in ("", "-0", "-rc.1", "-rc.2", "-alpha")
]

TABLE = [
    "*", "x", "^*", "~*", "1", "1.2", "1.x", "1.2.x", "1.2.3", "v1.2.3", "=1.2", "!=1", "!=1.2", "!=1.2-rc.1", "!=*",
    ">1", ">1.1", ">1.1.1", "<1", "<1.1", "<=1", "<=1.1", "<=1.1.1", "<=*", ">*", ">=*", "~0", "~0.0", "~0.0.0",
    "~1", "~1.1", "~1.1.1", "^0", "^0.0", "^0.0.1", "^0.1", "^0.1.1", "^1", "^1.1", "^1.1.1", ">=1 <2 || 10",
    ">=1, <2", "1 - 2", "1.1.1 - 2.0.0", ">=1.0.0-0", "^1.1.0-rc.1", "~1.0.0-0 || 2", ">0.0.0-0", "1.x.3", "1.x-0",
    "", " ", "latest", "HEAD", ">", "1.2.3.4", "1..2", "|| 1", "1 ||", "> = 1", "1;2", "main", "v", "1.2.3-", "^^1",
    ">1 1 - 2", "1.2.3 -4", "01.1.1", "1.01",
]  # fmt: skip


@pytest.fixture(scope="module")
def semver_compare(tmp_path_factory: pytest.TempPathFactory):
    """Helm's answers: for a list of ranges, per range the accepted versions, or None where it refuses the range."""
    helm = shutil.which("helm")
    if helm is None:
        pytest.skip("helm is not on PATH: gitops-bot tools install")
    chart = tmp_path_factory.mktemp("chart")
    (chart / "templates").mkdir()
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: judge\nversion: 1.0.0\n")
    template = (
        "{{- $yes := list }}{{- range $v := .Values.versions }}"
        "{{- if semverCompare $.Values.range $v }}{{ $yes = append $yes $v }}{{ end }}{{- end }}"
        "answer: {{ $yes | toJson | quote }}\n"
    )
    (chart / "templates" / "answer.yaml").write_text(template)

    def one(text: str) -> list[str] | None:
        values = chart / "values.yaml"
        values.write_text(json.dumps({"range": text, "versions": VERSIONS}))
        ended = subprocess.run([helm, "template", "x", str(chart)], capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            assert "improper constraint" in ended.stderr or "constraint" in ended.stderr, ended.stderr
            return None
        line = next(line for line in ended.stdout.splitlines() if line.startswith("answer: "))
        return json.loads(json.loads(line.removeprefix("answer: ")))

    def many(texts: list[str]) -> list[list[str] | None]:
        """Valid ranges in one run of Helm; one by one only where that run fails."""
        body = "".join(
            "{{- $yes := list }}{{- range $v := .Values.versions }}"
            f"{{{{- if semverCompare (index $.Values.ranges {index}) $v }}}}"
            "{{ $yes = append $yes $v }}{{ end }}"
            "{{- end }}\n"
            f"answer{index}: {{{{ $yes | toJson | quote }}}}\n"
            for index in range(len(texts))
        )
        (chart / "values.yaml").write_text(json.dumps({"ranges": texts, "versions": VERSIONS}))
        (chart / "templates" / "answer.yaml").write_text(body)
        ended = subprocess.run([helm, "template", "x", str(chart)], capture_output=True, text=True, check=False)
        (chart / "templates" / "answer.yaml").write_text(template)
        if ended.returncode != 0:
            return [one(text) for text in texts]
        lines = [line for line in ended.stdout.splitlines() if line.startswith("answer")]
        return [json.loads(json.loads(line.partition(": ")[2])) for line in lines]

    return many


def ours(text: str) -> list[str] | None:
    try:
        accepted = Range.parse(text)
    except ValueError:
        return None
    return [version for version in VERSIONS if accepted.accepts(Version.parse(version))]


def test_every_form_means_what_helm_says(semver_compare) -> None:
    valid = [text for text in TABLE if ours(text) is not None]
    invalid = [text for text in TABLE if ours(text) is None]
    assert len(valid) > 45 and len(invalid) > 15
    for text, answer in zip(valid, semver_compare(valid), strict=True):
        assert ours(text) == answer, text
    assert [text for text in invalid if semver_compare([text]) != [None]] == []


def test_random_ranges_mean_what_helm_says(semver_compare) -> None:
    collected: list[str] = []

    @settings(deadline=None)
    @given(ranges())
    def collect(text: str) -> None:
        collected.append(text)

    collect()
    texts = [text for text in dict.fromkeys(collected) if ours(text) is not None]
    assert len(texts) >= 50
    for start in range(0, len(texts), 50):
        batch = texts[start : start + 50]
        for text, answer in zip(batch, semver_compare(batch), strict=True):
            assert ours(text) == answer, text


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_a_range_or_a_value_error(text: str) -> None:
    accepted = None
    with contextlib.suppress(ValueError):
        accepted = Range.parse(text)
    if accepted is not None:
        assert any(character.isdigit() or character in "xX*" for character in text)


@settings(deadline=None)
@given(st.lists(st.sampled_from(VERSIONS), min_size=1), ranges())
def test_the_newest_is_accepted_and_nothing_accepted_is_newer(names: list[str], text: str) -> None:
    chosen = newest(text, names)
    accepted = [Version.parse(name) for name in names if Range.parse(text).accepts(Version.parse(name))]
    assert (chosen is None) == (not accepted)
    if chosen is not None:
        assert Version.parse(chosen) == max(accepted)


def test_order_follows_the_semver_specification() -> None:
    ascending = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
                 "1.0.0-rc.1", "1.0.0", "1.0.1", "1.1.0", "2.0.0", "10.0.0"]  # fmt: skip
    assert sorted(ascending[6:] + ascending[:6], key=Version.parse) == ascending
    assert Version.parse("1.0.0+a") == Version.parse("v1.0.0+b")


def test_newest_passes_over_names_that_are_no_versions() -> None:
    assert newest("*", ["latest", "sha-123", "v1.2.0", "1.10.0", "2.0.0-rc.1"]) == "1.10.0"
    assert newest(">3", ["1.0.0"]) is None


@pytest.mark.parametrize(("text", "exact", "version"), [("1.2.3", True, True), ("v1.2.3-rc.1+b", True, True),
                         ("1.2", False, True), ("1.2.x", False, False), ("^1.2.3", False, False), ("", False, False),
                         ("main", False, False)])  # fmt: skip
def test_a_pin_is_told_from_a_range(text: str, exact: bool, version: bool) -> None:
    assert (is_exact(text), is_version(text)) == (exact, version)


def test_endless_ranges_are_refused(tmp_path: Path) -> None:
    for text in ("1 " * 400, "||".join(["1"] * 40)):
        with pytest.raises(ValueError, match="too long"):
            Range.parse(text)
