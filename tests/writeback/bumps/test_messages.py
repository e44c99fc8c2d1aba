"""What a bump says of itself, whole: the commit's message and the pull request's text as people see them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitops_bot.errors import UsageError
from gitops_bot.writeback.bumps.messages import fill
from gitops_bot.writeback.bumps.request import ModelRequest, Source, parse_image
from tests.render.trees import tree_of
from tests.writeback.bumps.place import API, DATA, EXAMPLE, bumped, files_below

GOLDENS = Path(__file__).parent / "goldens"
COMMIT = "abc1234" + "0" * 33


def test_an_image_and_a_model_explain_themselves():
    model = ModelRequest(
        name="churn-model", version="v1.3.0", path="s3://models/churn/v1.3.0/", data=DATA,
        run_url="https://wandb.ai/acme/churn/runs/9", metrics={"auc": 0.87, "f1": 0.61}, previous={"auc": 0.83, "f1": 0.64},
    )  # fmt: skip
    source = Source(
        repository="acme/churn", commit=COMMIT, commit_url=f"https://github.com/acme/churn/commit/{COMMIT}", run=42,
        run_url="https://github.com/acme/churn/actions/runs/1", actor="ada",
    )  # fmt: skip
    image = parse_image(f"{API}:sha-abc1234@sha256:{'0a' * 32}")
    found = bumped(tree_of(files_below(EXAMPLE)), image, model, environment="staging", source=source)
    trailers = "\n".join(f"{name}: {value}" for name, value in found.trailers)
    made = {"bump.md": found.body, "bump.txt": f"{found.subject}\n\n{found.message}\n\n{trailers}\n"}
    for name, text in made.items():
        golden = GOLDENS / name
        if os.environ.get("GITOPS_BOT_UPDATE_GOLDENS"):
            golden.write_text(text)
        assert text == golden.read_text(), f"{golden}: GITOPS_BOT_UPDATE_GOLDENS=1 writes it anew"


@pytest.mark.parametrize(
    ("template", "filled"),
    [("{a} {a}", "1 1"), ("{{a}}", "{a}"), ("{", "{"), ("{}", "{}"), ("{{{a}}}", "{1}"), ("", "")],
)
def test_placeholders(template, filled):
    assert fill(template, {"a": "1"}) == filled


def test_what_is_filled_in_is_not_filled_again():
    assert fill("{a}", {"a": "{b}", "b": "x"}) == "{b}"


def test_an_unknown_placeholder_names_those_there_are():
    with pytest.raises(UsageError) as caught:
        fill("{colour}", {})
    assert "{environment}" in caught.value.hint
