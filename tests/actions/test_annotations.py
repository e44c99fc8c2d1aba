import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.actions.annotations import (
    LONGEST_MESSAGE,
    LONGEST_TITLE,
    MOST,
    Annotation,
    annotate,
    shorten,
    show,
)
from gitops_bot.actions.commands import Console
from gitops_bot.model.report import Compared, Counts, Raised, Report, TargetReport
from gitops_bot.model.signal import CATALOGUE, Signal
from gitops_bot.model.target import NotRendered
from tests.actions.runner import read_log
from tests.actions.test_commands import TEXT


def units(text):
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def target(name, file="argocd/staging/application.yaml"):
    return TargetReport(id=f"{file}#{name}", name=name, file=file, kind="Application", path="", status="changed")


def signal(severity="error", *, message="replicas 3 becomes 0", targets=(), silenced=None, **more):
    found = Signal(id="scaled-to-zero", severity=severity, message=message, **more)
    return Raised(signal=found, targets=tuple(targets), silenced=silenced)


def report(*, signals=(), not_rendered=(), targets=()):
    return Report(
        compared=Compared(base="b", head="a"),
        counts=Counts(),
        targets=tuple(targets),
        signals=tuple(signals),
        not_rendered=tuple(not_rendered),
    )


def test_failures_and_signals():
    web, api = target("web"), target("api", "apps/api.yaml")
    found = annotate(
        report(
            targets=(api, web),
            not_rendered=(
                NotRendered(id=web.id, reason="helm: no such chart"),
                NotRendered(id="sets/all.yaml#all", reason="yields nothing"),
                NotRendered(id="x", reason="a plugin", failed=False),
            ),
            signals=(
                signal(kind="Deployment", name="web", namespace="shop", targets=(web.id, api.id)),
                signal("warning", message="the image has no tag"),
                signal("info"),
                signal("error", silenced="meant so"),
            ),
        )
    )
    advice = CATALOGUE["scaled-to-zero"].explanation
    assert found == (
        Annotation(level="error", title="web could not be rendered", message="helm: no such chart", file=web.file),
        Annotation(level="error", title="sets/all.yaml#all could not be rendered", message="yields nothing", file="sets/all.yaml"),
        Annotation(
            level="error", title="scaled to zero [scaled-to-zero]", file=web.file,
            message=f"Deployment web (shop): replicas 3 becomes 0\nin web, api\n{advice}",
        ),
        Annotation(level="warning", title="scaled to zero [scaled-to-zero]", message=f"the image has no tag\n{advice}"),
    )  # fmt: skip


def test_an_object_that_the_message_names_is_not_named_twice():
    (found,) = annotate(report(signals=[signal(message="Deployment web runs nothing", kind="Deployment", name="web")]))
    assert found.message.startswith("Deployment web runs nothing\n")


@pytest.mark.parametrize(
    ("count", "rest"),
    [(10, ""), (11, "\nand 1 more error: see the step summary"), (500, "\nand 490 more errors: see the step summary")],
)
def test_what_is_not_shown_is_counted_in_the_last(count, rest):
    found = annotate(report(signals=[signal(message=f"number {at}") for at in range(count)]), errors=MOST)
    assert len(found) == MOST
    assert [each.message.splitlines()[0] for each in found] == [f"number {at}" for at in range(10)]
    assert found[-1].message.endswith(rest)
    assert not any("more error" in each.message for each in found[:-1])


def test_the_count_fits_into_a_long_message_too():
    last = annotate(report(not_rendered=[NotRendered(id=f"{at}", reason="x" * 9000) for at in range(12)]))[-1]
    assert units(last.message) == LONGEST_MESSAGE
    assert last.message.endswith("x…\nand 3 more errors: see the step summary")


def test_errors_and_warnings_have_limits_of_their_own():
    found = annotate(report(signals=[*[signal("warning")] * 30, *[signal("error")] * 30]), errors=3)
    assert [each.level for each in found] == ["error"] * 3 + ["warning"] * 10
    assert annotate(report(signals=[signal("error")]), errors=0) == ()
    assert len(annotate(report(signals=[signal("error")] * 30))) == MOST - 1  # the step says itself why it fails


def test_many_targets_are_counted():
    targets = [target(f"app-{at:02}") for at in range(30)]
    (found,) = annotate(report(targets=targets, signals=[signal(targets=[each.id for each in targets])]))
    assert "in app-00, app-01, " in found.message
    assert "app-09 and 20 more\n" in found.message


@pytest.mark.parametrize("file", ["/etc/passwd", "../x", "a/../../x", "", "a\nb", "a\u202eb"])
def test_what_is_no_file_of_the_repository_is_left_out(file):
    (found,) = annotate(
        report(targets=[target("x", file)], not_rendered=[NotRendered(id=target("x", file).id, reason="r")])
    )
    assert found.file == ""


def test_a_failure_without_a_reason_still_says_something():
    (found,) = annotate(report(not_rendered=[NotRendered(id="x", reason=" ")]))
    assert found.message == "x could not be rendered"


WILD = (
    st.text(st.sampled_from("ab\n\t e\u0301\u200d\U0001f468\U0001f3fd\U0001f469\ufe0f€\u202e\0"), max_size=9000) | TEXT
)


@given(WILD, WILD, st.integers(1, 12))
def test_every_message_fits_and_nothing_foreign_is_a_command(message, name, count):
    failed = [NotRendered(id=f"{name}{at}", reason=message) for at in range(count)]
    found = annotate(
        report(not_rendered=failed, signals=[signal("warning", message=message, name=name, kind="Job")] * count)
    )
    for each in found:
        assert 0 < units(each.message) <= LONGEST_MESSAGE
        assert 0 < units(each.title) <= LONGEST_TITLE
    stream = io.StringIO()
    show(Console(stream), found)
    for overlooking in (False, True):
        log = read_log(stream.getvalue(), overlooking=overlooking)
        assert [command.name for command in log.commands] == [each.level for each in found]
        assert (log.lines, log.masks) == ([], [])
        if not overlooking:
            # The console puts a space before what begins outside ASCII; the rest arrives as it was made.
            assert [command.data.removeprefix(" ") for command in log.commands] == [
                each.message.removeprefix(" ") for each in found
            ]


@given(st.text(), st.integers(1, 20))
def test_shortening(text, room):
    found = shorten(text, room)
    assert units(found) <= room or units(text) <= room
    assert found == text if units(text) <= room else found.endswith("…")
    assert text.startswith(found.removesuffix("…") if units(text) > room else found)


@pytest.mark.parametrize(
    ("text", "room", "expected"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("a\U0001f468b", 3, "a…"),
        ("a\U0001f468bc", 4, "a\U0001f468…"),
        ("ae\u0301b", 3, "a…"),
        ("a\U0001f468\u200d\U0001f469 and more", 6, "a…"),
        ("a\U0001f468\U0001f3fd and more", 5, "a…"),
        ("\u0301\u0301\u0301", 2, "…"),
    ],
)
def test_nothing_is_cut_within_what_people_see_as_one(text, room, expected):
    assert shorten(text, room) == expected
