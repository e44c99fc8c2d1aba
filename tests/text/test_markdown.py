from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.model.change import FieldChange, ResourceChange, TargetChanges
from gitops_bot.model.report import Compared
from gitops_bot.model.resource import ResourceKey
from gitops_bot.model.target import NotRendered
from gitops_bot.review.report import Outcome, build_report
from gitops_bot.review.view import build_view
from gitops_bot.text.markdown import build_comment
from tests.review.cases import CASES, deployment, outcome, report
from tests.text.test_escape import RECOGNISED, Read, hostile, markdown

OURS = set(
    "h3 h4 p sub blockquote strong ul li code br table thead tbody tr th td details summary b i pre".split()  # noqa: SIM905 - read as one line
)


def text_of(case: str) -> str:
    return build_comment(build_view(CASES[case]())).text


@st.composite
def hostile_views(draw):
    def text():
        return draw(hostile)

    name, space = text(), text()
    change = ResourceChange(
        action="changed",
        bucket=draw(st.sampled_from(["changed", "noise"])),
        key=ResourceKey(text(), text(), space, name),
        renamed_from=ResourceKey("", "", space, text()),
        api_version="v1",
        hook=text(),
        fields=(FieldChange(path=text()),),
        noise=(FieldChange(path=text()),),
        diff=f"@@ -1 +1 @@\n-{text()}\n+{text()}\n",
        images=((text(), text(), text()), ("x", None, text())),
    )
    removed = ResourceChange(
        action="removed", bucket="removed", key=ResourceKey("", "Namespace", "", text()), api_version="v1"
    )
    target = Outcome(
        id=text(),
        name=text(),
        file="f",
        kind="Helm",
        status="changed",
        plan_reason=text(),
        moved_from=text(),
        reaches=draw(st.sampled_from(["", "`v*` @bob"])),
        changes=TargetChanges(changes=(change, removed), warnings=(text(),)),
    )
    return build_view(
        build_report(
            [target],
            compared=Compared(base="a", head="b", base_branch=text(), how="conflict", conflicts=(text(),)),
            not_rendered=[NotRendered(id=text(), reason=text()), NotRendered(id=text(), reason=text(), failed=False)],
            notes=[text()],
            tools={text(): text()},
        )
    )


@given(hostile_views())
def test_foreign_text_makes_no_element_and_reaches_nobody(view):
    read = Read(markdown.render(build_comment(view).text))
    assert set(read.tags) <= OURS
    assert not RECOGNISED.search(read.prose)
    assert (
        read.tags.count("details")
        == read.tags.count("summary")
        == len(view.noise[:1])
        + any(not one.failed for one in view.missing)
        + len(view.plans[:1])
        + sum(len(section.blocks) for section in view.sections)
    )
    tables = [view.images, view.plans, *(section.images for section in view.sections)]
    assert read.tags.count("table") == sum(map(bool, tables))


def test_failures_and_removals_stand_in_alert_boxes():
    assert "> [!CAUTION]\n> **1 not rendered: its changes are missing below**\n" in text_of("one-side-failed")
    assert "> [!CAUTION]\n> **Removals that take more along**\n> - `Namespace churn" in text_of("removals")
    assert "> [!WARNING]\n> **These do not merge, so the diff starts from the merge base:** `charts/web" in text_of(
        "conflict"
    )
    assert "[!" not in text_of("simple")


def test_the_same_change_of_forty_apps_is_one_block_that_names_them_all():
    text = text_of("forty-apps")
    assert text.count("```diff") == 1
    assert all(f"shop-{number:02}" in text for number in range(40))


def test_few_changes_are_open_and_many_are_closed():
    few = [outcome(f"a{n}", deployment(f"a{n}", to=f"sha-{n}")) for n in range(3)]
    many = [*few, outcome("a3", deployment("a3", to="sha-3"))]
    assert build_comment(build_view(report(*few))).text.count("<details open>") == 3
    assert build_comment(build_view(report(*many))).text.count("<details open>") == 0


def test_nothing_changed_is_short():
    assert text_of("nothing").startswith("### ✅ No changes: 243 targets, none affected.\n")
    assert len(text_of("nothing")) < 400
