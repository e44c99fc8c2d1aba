"""Go templates through the real helm: Argo CD's readings, its functions, its refusals, and no way out."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_bot.doors.process import Limits
from gitops_bot.errors import ToolError
from gitops_bot.model.applicationset import Template
from gitops_bot.render.applicationsets import gosyntax
from gitops_bot.render.applicationsets.fasttemplate import TemplateError
from gitops_bot.render.applicationsets.gotemplate import GoTemplates
from gitops_bot.render.deadline import Deadline

PARAMS: dict[str, Any] = {
    "cluster": "prod-1",
    "count": 3,
    "million": 1_000_000,
    "on": True,
    "empty": "",
    "path": {"path": "apps/My_App", "basename": "My_App", "segments": ["apps", "My_App"]},
    "map": {"key": {"deep": 0}},
    "values": {},
}


@pytest.fixture(scope="module")
def engine(helm: str) -> GoTemplates:
    return GoTemplates([helm])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("{{ .path.basename }}-{{.cluster}}", "My_App-prod-1"),
        ("{{ $.path.basename }}", "My_App"),
        ("{{ index .path.segments 1 }}", "My_App"),
        ('{{ index .map "key" "deep" }}', "0"),
        ('{{ default "x" .values.y }}', "x"),
        ("{{ .count }} {{ .million }} {{ .on }}", "3 1e+06 true"),
        ("{{ if eq .cluster `prod-1` }}yes{{ else }}no{{ end }}", "yes"),
        ("{{ range $i, $s := .path.segments }}{{ $i }}{{ $s }} {{ end }}", "0apps 1My_App "),
        ("a {{- /* gone */ -}} b", "ab"),
        ('{{ "}}" }}{{ `{{x}}` }}', "}}{{x}}"),
        ("{{- .cluster -}}", "prod-1"),
        ("{{ .cluster | trunc -1 }}", "1"),
        ("{{ .map | toJson }}", '{"key":{"deep":0}}'),
        ("{{ (fromYaml `a: {b: 7}`).a.b }}", "7"),
        ("{{ index (fromYamlArray `[w, z]`) 1 }}", "z"),
        ("{{ toYaml .map }}", "key:\n  deep: 0"),
        ("{{ .path.basename | lower | replace `_` `-` }}", "my-app"),
        ("<&> é {{ .cluster }}\n---\n# Source: x\n", "<&> é prod-1\n---\n# Source: x\n"),
    ],
)
def test_templates_give_what_argo_cd_gives(engine: GoTemplates, text: str, expected: str) -> None:
    assert engine([Template(text, PARAMS)]) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ normalize .path.basename }}", "my-app"),
        ("{{ .path.basename | normalize | upper }}", "MY-APP"),
        ("{{ normalize (printf `%s.%s` .path.basename `X_`) }}", "my-app.x"),
        ("{{ slugify 23 true .path.basename }}", "my-app"),
        ("{{ slugify .path.basename }}", "my-app"),
        ("{{ .path.basename | slugify 5 true | upper }}", "MY"),
        ("{{ (slugify 10 true `feat/a_really+long`) }}!", "feat-a!"),
        ("{{ slugify 4 true `abcdefgh` }}", "abcd"),
    ],
)
def test_argo_cds_own_functions(engine: GoTemplates, text: str, expected: str) -> None:
    assert engine([Template(text, PARAMS)]) == [expected]


@pytest.mark.parametrize(
    ("text", "invalid", "zero", "error"),
    [
        ("{{ .no }}", "<no value>", "<no value>", None),
        ("{{ .no | quote }}", "", "", None),
        ("{{ .no.deep }}", "<no value>", None, None),
        ("{{ .no.deep.er | default `d` }}", "d", None, None),
        ("{{ .map.key.no }}", "<no value>", "<no value>", None),
        ("{{ $v := .map }}{{ $v.key.no.deep }}", "<no value>", None, None),
        ("{{ with .map }}{{ .key.deep }}{{ end }}", "0", "0", "0"),
        ("{{ with .map }}{{ .no }}{{ end }}", "<no value>", "<no value>", None),
        ("{{ if .no }}y{{ else }}n{{ end }}", "n", "n", None),
        ("{{ if hasKey . `no` }}{{ .no }}{{ else }}n{{ end }}", "n", "n", "n"),
        ("{{ if and (hasKey . `no`) .no }}y{{ else }}n{{ end }}", "n", "n", "n"),
        ("{{ .empty }}|{{ .map.key.deep | add 1 }}", "|1", "|1", "|1"),
    ],
)
def test_a_missing_key_is_what_go_template_options_say(
    engine: GoTemplates, text: str, invalid: str | None, zero: str | None, error: str | None
) -> None:
    for missing, expected in (("invalid", invalid), ("zero", zero), ("error", error)):
        if expected is None:
            with pytest.raises(TemplateError, match=r"entry for|nil pointer"):
                engine([Template(text, PARAMS, missing)])
        else:
            assert engine([Template(text, PARAMS, missing)]) == [expected], missing


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ .cluster ", "{{ without }}"),
        ("{{ nofunc 1 }}", 'function "nofunc" not defined'),
        ("{{ index .path.segments 5 }}", "index out of range: 5"),
        ("{{ .cluster.field }}", "can't evaluate field field"),
        ("{{ fail `boo` }}", "boo"),
        ("{{ if .on }}", "unexpected EOF"),
        ("{{ end }}{{ if 1 }}", "unexpected {{end}}"),
        ("{{ define `x` }}y{{ end }}", "define is not supported"),
        ("{{ slugify 3 `abcdef` }}", "longer than 3 characters"),
        ('{{ "abc }}', "unterminated quotation"),
        *(
            (f"{{{{ {name} `x` . }}}}", f'function "{name}" not defined')
            for name in ("env", "include", "tpl", "lookup")
        ),
        *((f"{{{{ . | {name} }}}}", f'function "{name}" not defined') for name in ("expandenv", "getHostByName")),
    ],
)
def test_a_failure_names_the_template_and_the_reason(engine: GoTemplates, text: str, reason: str) -> None:
    others = [Template("{{ upper .cluster }}", PARAMS)]
    with pytest.raises(TemplateError) as failure:
        engine([*others, Template(text, PARAMS), *others])
    assert reason in failure.value.message
    assert text[:20].strip() in failure.value.message
    assert "item " not in failure.value.message


def test_what_helm_knows_is_out_of_reach(engine: GoTemplates) -> None:
    text = "{{ .Files }}{{ .Values }}{{ $.Capabilities }}{{ .Chart.Name }}{{ .Release.Name }}{{ .Template }}"
    assert engine([Template(text + "{{ upper `x` }}", PARAMS)]) == ["<no value>" * 6 + "X"]


def test_a_batch_is_one_run_and_an_equal_batch_none(helm: str) -> None:
    engine = GoTemplates([helm])
    batch = [Template("{{ upper .n }}", {"n": f"app-{number}"}) for number in range(300)]
    first = engine(batch)
    assert first == [f"APP-{number}" for number in range(300)]
    assert engine(list(batch)) == first
    assert engine.runs == 1


def test_a_batch_larger_than_a_file_of_a_chart_may_be(engine: GoTemplates) -> None:
    batch = [
        Template("{{ len .text }} {{ .number | int }}{{ upper `x` }}", {"text": "a" * 900_000, "number": n})
        for n in range(9)
    ]
    assert engine(batch) == [f"900000 {n}X" for n in range(9)]


def test_templates_that_only_print_params_need_no_helm() -> None:
    engine = GoTemplates(["/nonexistent/helm"])
    assert engine([Template("{{ .path.basename }}/{{ index .path.segments 0 }}", PARAMS)]) == ["My_App/apps"]
    with pytest.raises(TemplateError, match=r"no entry for a key of \.no"):
        engine([Template("{{ .no }}", PARAMS, "error")])
    with pytest.raises(ToolError):
        engine([Template("{{ upper .cluster }}", PARAMS)])


@pytest.mark.parametrize(
    "text",
    [
        "{{ range until 2000000000 }}{{ . }}{{ end }}",
        "{{ range $i := until 60000 }}{{ range $j := until 60000 }}{{ end }}{{ end }}",
        "{{ repeat 2000000000 `x` }}",
    ],
)
def test_a_template_that_never_ends_is_stopped(helm: str, text: str) -> None:
    engine = GoTemplates([helm], limits=Limits(seconds=2, output=1 << 20, memory=3 << 30))
    started = time.monotonic()
    with pytest.raises(TemplateError, match=r"stopped after|made helm crash"):
        engine([Template(text, PARAMS)])
    assert time.monotonic() - started < 10


SCALARS = st.one_of(
    st.text(max_size=8),
    st.booleans(),
    st.integers(min_value=-(2**53), max_value=2**53),
    st.floats(allow_nan=False, allow_infinity=False),
)
PIECES = st.sampled_from(
    ["{{ .a }}", "{{.b.c}}", "{{ $.b.c }}", "{{ index .l 1 }}", '{{ index .b "c" }}', "x", " {{"[:1], "}}"]
)


@settings(max_examples=6, deadline=None)
@given(
    cases=st.lists(
        st.tuples(st.lists(PIECES, min_size=1, max_size=4), SCALARS, SCALARS, SCALARS), min_size=20, max_size=40
    )
)
def test_what_is_printed_without_helm_is_what_helm_prints(
    engine: GoTemplates, cases: list[tuple[list[str], Any, Any, Any]]
) -> None:
    easy: list[str | None] = []
    hard: list[Template] = []
    for pieces, a, c, item in cases:
        text = "".join(pieces)
        params = {"a": a, "b": {"c": c}, "l": [0, item]}
        easy.append(gosyntax.simple(text, gosyntax.parse(text), params, "invalid"))
        hard.append(Template(text + "{{ upper `` }}", params))
    assert engine(hard) == easy


@given(text=st.text(alphabet="{}-.|()$ab \"'`\\/*\n:=", max_size=40))
def test_reading_a_template_loses_nothing_and_never_crashes(text: str) -> None:
    try:
        parts = gosyntax.parse(text)
        gosyntax.check(text, parts)
    except TemplateError:
        return
    assert "".join(_source(part) for part in parts) == text


def _source(part: str | gosyntax.Action) -> str:
    return part if isinstance(part, str) else part.opening + "".join(token.text for token in part.tokens) + part.closing


def test_nothing_runs_when_the_run_has_no_time_left(helm: str) -> None:
    engine = GoTemplates([helm], deadline=Deadline(0))
    with pytest.raises(TemplateError, match="no time left in this run"):
        engine([Template(text="{{ upper .x }}", params={"x": "a"})])
    assert engine.runs == 0
    assert engine([Template(text="{{ .x }}", params={"x": "a"})]) == ["a"]
