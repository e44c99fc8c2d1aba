from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import msgspec
import pytest

from gitops_bot.model.change import FieldChange
from gitops_bot.model.report import Report
from gitops_bot.text.diff_json import encode_report, schema
from tests.review.cases import CASES, deployment, outcome, report, simple

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "docs" / "schemas" / "diff.schema.json"
REFERENCE = ROOT / "docs" / "reference" / "diff-json.md"
UPDATE = "from gitops_bot.text.diff_json import schema; print(schema().decode(), end='')"


def with_after(value):
    change = msgspec.structs.replace(deployment("a"), fields=(FieldChange(path="x", after=value),))
    return report(outcome("a", change))


def test_the_published_schema_is_the_one_of_the_types():
    assert SCHEMA.read_bytes() == schema(), f'run: python -c "{UPDATE}" > docs/schemas/diff.schema.json'
    jsonschema.Draft202012Validator.check_schema(json.loads(schema()))


@pytest.mark.parametrize("case", CASES)
def test_reports_are_valid_and_read_back_as_they_were(case):
    made = CASES[case]()
    written = encode_report(made)
    jsonschema.validate(json.loads(written), json.loads(schema()))
    assert msgspec.json.decode(written, type=Report) == made
    assert written.endswith(b"}\n")


def test_a_report_that_lacks_a_promised_field_is_not_valid():
    broken = json.loads(encode_report(simple()))
    del broken["targets"][0]["plan"]
    with pytest.raises(jsonschema.ValidationError, match="'plan' is a required property"):
        jsonschema.validate(broken, json.loads(schema()))


def test_the_names_others_rely_on():
    found = json.loads(encode_report(CASES["one-side-failed"]()))
    assert found["schemaVersion"] == "1"
    assert {"id", "name", "file", "kind", "path", "status", "plan"} <= set(found["targets"][0])
    assert {"action", "group", "kind", "namespace", "name", "targets", "fields"} <= set(found["changes"][0])
    assert {"id", "reason"} <= set(found["not_rendered"][0])
    assert {"added", "changed", "removed"} <= set(found["counts"])


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"b": 1, "a": {2: "x", True: "y", None: "z"}}, {"a": {"2": "x", "null": "z", "true": "y"}, "b": 1}),
        ({1: "one", True + 1: "two"}, {"1": "one", "2": "two"}),
        ([float("inf"), float("-inf"), float("nan"), 1.5], [".inf", "-.inf", ".nan", 1.5]),
        ("caf\udce9", "caf\\udce9"),
        (2**80, 2**80),
    ],
)
def test_what_json_cannot_hold_is_written_as_text(value, written):
    found = json.loads(encode_report(with_after(value)))
    assert found["changes"][0]["fields"] == [{"path": "x", "after": written}]


def test_a_field_that_was_not_there_is_left_out_and_null_is_null():
    assert json.loads(encode_report(with_after(None)))["changes"][0]["fields"] == [{"path": "x", "after": None}]


def test_the_reference_names_every_field():
    words = set(re.findall(r"`([\w]+)`", REFERENCE.read_text(encoding="utf-8")))
    defined = json.loads(schema())["$defs"]
    assert {field for definition in defined.values() for field in definition["properties"]} <= words
