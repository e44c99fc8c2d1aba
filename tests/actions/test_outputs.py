import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gitops_bot.actions.outputs import NOTHING, OUTPUTS, report_outputs, write_outputs
from gitops_bot.errors import UsageError
from gitops_bot.model.report import Compared, Counts, Raised, Report
from gitops_bot.model.signal import Signal
from gitops_bot.model.target import NotRendered
from tests.actions.runner import read_file_command

NAMES = [each.name for each in OUTPUTS]
VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    ["a\nchanged=false", "x<<EOF\ny\nEOF", "\n", "\r", "\r\n", "=", "<<", "plan<<end", "\ufeff", "end-\nend-", " "]
)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES))
@example({"plan": "x\nfailed=0", "failed": "3"})
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_the_runner_reads_what_was_written_and_nothing_more(tmp_path, values):
    path = tmp_path / "output"
    path.write_bytes(b"")
    write_outputs(str(path), values)
    assert read_file_command(path.read_bytes().decode()) == values


def test_a_value_cannot_hold_its_own_end(tmp_path):
    path = tmp_path / "output"
    delimiters = iter(["aa", "aa", "bb"])
    write_outputs(str(path), {"plan": "x\nend-aa\nfailed=0"}, delimiter=lambda: next(delimiters))
    assert path.read_text() == "plan<<end-bb\nx\nend-aa\nfailed=0\nend-bb\n"
    assert list(delimiters) == []


def test_delimiters_have_128_bits_and_differ(tmp_path):
    path = tmp_path / "output"
    write_outputs(str(path), dict.fromkeys(NAMES, "x"))
    found = {line.partition("<<")[2] for line in path.read_text().splitlines() if "<<" in line}
    assert len(found) == len(NAMES)
    assert {len(each) for each in found} == {len("end-") + 32}


def test_outputs_are_appended_also_behind_a_line_that_was_left_open(tmp_path):
    path = tmp_path / "output"
    path.write_text("mine=1")
    write_outputs(str(path), {"added": "2"})
    write_outputs(str(path), {"added": "3", "removed": "0"})
    assert read_file_command(path.read_text()) == {"mine": "1", "added": "3", "removed": "0"}


@pytest.mark.parametrize(("value", "told"), [("a\0b", "NUL"), ("\ud800", "is not text")])
def test_what_the_file_cannot_carry_is_refused_and_nothing_is_written(tmp_path, value, told):
    path = tmp_path / "output"
    with pytest.raises(UsageError, match=f"the output report .*{told}"):
        write_outputs(str(path), {"added": "2", "report": value})
    assert not path.exists()


@pytest.mark.parametrize("name", ["", "Changed", "a=b", "a<<b", "a\nb", "path"])
def test_only_outputs_that_are_declared_can_be_written(tmp_path, name):
    with pytest.raises(KeyError):
        write_outputs(str(tmp_path / "output"), {name: "x"})


def test_without_a_file_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_outputs("", {"added": "2"})
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written(tmp_path):
    with pytest.raises(UsageError, match="outputs cannot be written"):
        write_outputs(str(tmp_path), {"added": "2"})


def raised(severity, silenced=None):
    return Raised(signal=Signal(id="deletion", severity=severity, message="x"), targets=(), silenced=silenced)


def test_outputs_of_a_report():
    report = Report(
        compared=Compared(base="b", head="a"),
        counts=Counts(added=2, changed=14, removed=1, noise=9),
        signals=(raised("error"), raised("error", "meant"), raised("warning"), raised("warning"), raised("info")),
        not_rendered=(NotRendered(id="a", reason="x"), NotRendered(id="b", reason="y", failed=False)),
        routine=True,
    )
    assert report_outputs(report) == {
        "changed": "true", "added": "2", "changed_count": "14", "removed": "1", "failed": "1", "routine": "true",
        "errors": "1", "warnings": "2",
    }  # fmt: skip


def test_noise_alone_is_no_change():
    found = report_outputs(Report(compared=Compared(base="b", head="a"), counts=Counts(noise=3, ignored=1)))
    assert (found["changed"], found["failed"], found["routine"]) == ("false", "0", "false")
    assert set(found) | {"comment_url", "report", "plan"} <= set(NAMES) == set(NOTHING)
