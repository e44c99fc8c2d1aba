"""Requests are read strictly, every problem at once; payloads of other systems as they are."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_bot.errors import UsageError
from gitops_bot.writeback.bumps.payloads import read_request
from gitops_bot.writeback.bumps.request import (
    ImageRequest,
    ModelOptions,
    ModelRequest,
    ValueRequest,
    parse_image,
    read_metrics,
    request_from_options,
)

DIGEST = "sha256:" + "0a" * 32


def read(document):
    return read_request(json.dumps(document).encode())


# -- images -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "repository", "tag", "digest"),
    [
        ("ghcr.io/acme/churn-api:sha-abc1234", "ghcr.io/acme/churn-api", "sha-abc1234", ""),
        (f"ghcr.io/acme/churn-api:v1@{DIGEST}", "ghcr.io/acme/churn-api", "v1", DIGEST),
        ("localhost:5000/api:1", "localhost:5000/api", "1", ""),
        ("redis:7.2", "redis", "7.2", ""),
        ("a/b__c/d-e:_x.y-z", "a/b__c/d-e", "_x.y-z", ""),
    ],
)
def test_an_image_is_taken_apart(text, repository, tag, digest):
    assert parse_image(text) == ImageRequest(repository=repository, tag=tag, digest=digest)
    assert request_from_options(images=[text]) == (parse_image(text),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ghcr.io/acme/api", "has no tag"),
        ("localhost:5000/api", "has no tag"),
        ("ghcr.io/acme/api:v1@", "without a digest"),
        ("ghcr.io/acme/api:v1@sha256:ab", "no digest"),
        ("ghcr.io/Acme/API:v1", "lower case"),
        ("ghcr.io/acme/api:v 1", "no tag of an image"),
        ("ghcr.io/acme/api:" + "x" * 129, "no tag of an image"),
        ("ghcr.io/acme/api:v1\n", ""),
        ("https://ghcr.io/acme/api:v1", "no image repository"),
        ("../api:v1", "no image repository"),
        (":v1", "no image repository"),
    ],
)
def test_what_is_no_image_is_refused(text, says):
    if not says:
        assert request_from_options(images=[text]) == (parse_image(text.strip()),)
        return
    with pytest.raises(UsageError, match=says):
        request_from_options(images=[text])


def test_a_digest_beside_the_image():
    (item,) = request_from_options(images=["a:1"], digests=[DIGEST])
    assert item.digest == DIGEST
    with pytest.raises(UsageError, match="another digest"):
        request_from_options(images=[f"a:1@{DIGEST}"], digests=[DIGEST.replace("0", "1")])
    with pytest.raises(UsageError, match="2 digests are given for 1 images"):
        request_from_options(images=["a:1"], digests=[DIGEST, DIGEST])


def test_every_problem_is_told_at_once():
    with pytest.raises(UsageError) as caught:
        request_from_options(
            images=["a", "B:1"], files=["/etc/passwd", "../x"], paths=["a..b", "b"], values=["1", "2"],
            model=ModelOptions(name="m", metrics=b"{}"),
        )  # fmt: skip
    for part in ("a has no tag", "lower case", "a..b", "../x leads out", "version is missing", "hold no number"):
        assert part in caught.value.message


def test_one_file_serves_several_values():
    assert request_from_options(files=["f"], paths=["a", "b"], values=["1", "2"]) == (
        ValueRequest(file="f", path="a", value="1"),
        ValueRequest(file="f", path="b", value="2"),
    )
    with pytest.raises(UsageError, match="belong together"):
        request_from_options(files=["f", "g"], paths=["a"], values=["1"])
    with pytest.raises(UsageError, match="nothing to write"):
        request_from_options()
    with pytest.raises(UsageError, match="asked for twice"):
        request_from_options(images=["a:1", "a:2"])


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_an_image_or_a_refusal(text):
    try:
        (item,) = request_from_options(images=[text])
    except UsageError:
        return
    written = f"{item.repository}:{item.tag}" + (f"@{item.digest}" if item.digest else "")
    assert written == text.strip()


# -- models -----------------------------------------------------------------------------------------------------------


def test_metrics_are_numbers_by_name():
    assert read_metrics(b'{"auc": 0.87, "n": 3, "name": "x", "ok": true, "f1": "0.5", "bad": "NaN"}')[0] == {
        "auc": 0.87, "f1": 0.5, "n": 3.0
    }  # fmt: skip
    assert read_metrics(b'{"new": {"auc": 0.9}, "old": {"auc": 0.8}}') == ({"auc": 0.9}, {"auc": 0.8})
    for data in (b"", b"[]", b"{}", b"auc", b'{"a": {}}', b"\xff"):
        with pytest.raises(UsageError):
            read_metrics(data)


@pytest.mark.parametrize("value", ["a b", "a\nb", "x\u202ey", "", "a\x00", "y" * 2000, "${version}"])
def test_a_version_has_no_characters_that_are_not_seen(value):
    with pytest.raises(UsageError, match="version"):
        request_from_options(model=ModelOptions(name="my model", version=value))


# -- JSON -------------------------------------------------------------------------------------------------------------


def test_our_own_form():
    found = read(
        {
            "environment": "staging",
            "images": [f"ghcr.io/acme/api:v1@{DIGEST}", {"repository": "b", "tag": "2"}],
            "values": [{"file": "f", "path": "a.b", "value": 3}, {"file": "f", "path": "c", "value": True}],
            "models": [{"name": "m", "version": "v1", "path": "s3://m/v1/", "metrics": {"auc": 0.9}}],
            "source": {"repository": "acme/churn", "commit": "a" * 40, "run": 42},
        }
    )
    assert found.environment == "staging"
    assert [type(item).__name__ for item in found.items] == [
        "ImageRequest", "ImageRequest", "ModelRequest", "ValueRequest", "ValueRequest"
    ]  # fmt: skip
    assert [(item.value, item.kind) for item in found.items[3:]] == [("3", "number"), ("true", "boolean")]
    assert (found.source.run, found.items[2].metrics) == (42, {"auc": 0.9})


def test_every_problem_of_a_document_is_told():
    with pytest.raises(UsageError) as caught:
        read({"images": [{"repo": "x"}, 3], "values": [{"file": "f"}], "source": {"run": "x", "commit": "zz"}})
    for part in ("images[0].repo", "images[0]: has no repository", "images[1]", "values[0]: has no path", "source.run"):
        assert part in caught.value.message


@pytest.mark.parametrize("data", [b"", b"[]", b"3", b"{}", b'{"version": 1}', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_request_is_refused(data):
    with pytest.raises(UsageError):
        read_request(data)


WANDB = {
    "event_author": "ada",
    "artifact_version": "wandb-artifact://_id/QXJ0aWZhY3Q6NTE3ODg5ODg3",
    "artifact_version_string": "acme/churn/churn-model:v12",
    "artifact_collection_name": "churn-model",
    "project_name": "churn",
    "entity_name": "acme",
}


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: {"event_type": "deploy", "client_payload": x},
                                  lambda x: {"action": "deploy", "client_payload": x, "repository": {}}])  # fmt: skip
def test_a_payload_of_weights_and_biases_is_taken_as_it_is(wrap):
    found = read(wrap(WANDB))
    assert found.items == (
        ModelRequest(
            name="churn-model", version="v12", path="wandb-artifact://acme/churn/churn-model:v12",
            page_url="https://wandb.ai/acme/churn/artifacts",
        ),
    )  # fmt: skip
    assert found.source.actor == "ada"


def test_a_payload_may_bring_more():
    more = {"environment": "staging", "model_path": "s3://models/churn/v12/", "data_version": "sha256:ab",
            "metrics": {"auc": "0.9"}, "run_url": "https://wandb.ai/acme/churn/runs/1", "anything": {"else": 1}}  # fmt: skip
    found = read({**WANDB, **more})
    (item,) = found.items
    assert (found.environment, item.path, item.data) == ("staging", "s3://models/churn/v12/", "sha256:ab")
    assert (item.metrics, item.run_url) == ({"auc": 0.9}, "https://wandb.ai/acme/churn/runs/1")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"artifact_version_string": "${artifact_version_string}"}, "still has the variable"),
        ({"artifact_version_string": ""}, "names no version"),
        ({"artifact_version_string": "acme/churn/churn-model"}, "names no version"),
        ({"commit": "not a commit"}, "no commit id"),
    ],
)
def test_a_payload_that_is_not_filled_is_refused(change, says):
    with pytest.raises(UsageError, match=says):
        read({**WANDB, **change})


WIDENED = [
    {"images": ["a:1"], "allow_downgrade": True},
    {"images": ["a:1"], "allow_downgrade": False},
    {"values": [{"file": "v.yaml", "path": "a", "value": 1}], "create": True},
    {"artifact_collection_name": "m", "artifact_version_string": "acme/churn/m:v1", "allow-downgrade": True},
    {"create": True},
]


@pytest.mark.parametrize("document", WIDENED)
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: {"event_type": "deploy", "client_payload": x}])
def test_a_payload_may_not_widen_what_is_allowed(document, wrap):
    with pytest.raises(UsageError) as caught:
        read_request(json.dumps(wrap(document)).encode())
    name = next(key for key in document if key in ("allow_downgrade", "allow-downgrade", "create"))
    assert f"{name}: only the command that reads this may say so" in caught.value.message
    option = name.replace("_", "-")
    assert f"--{option}" in caught.value.message
    assert f"input {name.replace('-', '_')}" in caught.value.message


def test_everything_that_a_payload_may_not_say_is_named_with_its_other_problems():
    with pytest.raises(UsageError) as caught:
        read_request(b'{"images": ["a"], "allow_downgrade": true, "create": true, "colour": 1}')
    for part in ("allow_downgrade: only", "create: only", "colour"):
        assert part in caught.value.message
