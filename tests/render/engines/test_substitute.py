from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.render.engines.substitute import build_environment, substitute

ENVIRONMENT = {"ARGOCD_APP_NAME": "web", "X": "1", "X_Y": "2"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("values-$ARGOCD_APP_NAME.yaml", "values-web.yaml"),
        ("values-${ARGOCD_APP_NAME}.yaml", "values-web.yaml"),
        ("$X_Y-${X}Y", "2-1Y"),
        ("$UNKNOWN/x", "/x"),
        ("cost: $$5", "cost: $5"),
        ("$$X", "$X"),
        ("a$ b", "a$ b"),
        ("a$", "a$"),
        ("$1$@", ""),
        ("a${X", "aX"),
    ],
)
def test_variables_are_replaced_as_argo_cd_does(text: str, expected: str) -> None:
    assert substitute(text, ENVIRONMENT) == expected


@given(st.text())
def test_escaped_text_comes_back(text: str) -> None:
    assert substitute(text.replace("$", "$$"), ENVIRONMENT) == text


def test_short_revisions_have_seven_and_eight_characters() -> None:
    made = build_environment(
        app_name="a", namespace="n", project="p", revision="0123456789", repo_url="u", path="x", target_revision="t"
    )
    assert made["ARGOCD_APP_REVISION_SHORT"] == "0123456"
    assert made["ARGOCD_APP_REVISION_SHORT_8"] == "01234567"
