"""The short texts of a review: headline, coverage, field names, image rows, labels."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from gitops_bot.model.change import FieldChange
from gitops_bot.model.report import Compared, Counts
from gitops_bot.model.target import NotRendered
from gitops_bot.review.counts import asides, phrase
from gitops_bot.review.headline import compared_sentence, consequence, coverage, headline
from gitops_bot.review.images import image_rows, split_image
from gitops_bot.review.report import Outcome, build_report
from gitops_bot.review.summary import field_summary, short_name
from gitops_bot.review.view import build_view, target_labels
from tests.review.cases import MERGE, deployment, later, noise, nothing, outcome


def test_counts_are_said_in_terraforms_words():
    assert phrase(Counter(added=2, changed=14, removed=1)) == "2 to add, 14 to change, 1 to remove"
    assert asides(Counter(noise=3, ignored=2)) == (
        "3 differ only in chart labels and checksums",
        "2 hidden by ignoreDifferences",
    )
    assert asides(Counter(noise=1)) == ("1 differs only in chart labels and checksums",)


@pytest.mark.parametrize(
    ("counts", "found", "said"),
    [
        (Counts(targets=243, unaffected=243), {}, "No changes: 243 targets, none affected."),
        (Counts(targets=1, unaffected=1), {}, "No changes: 1 target, none affected."),
        (Counts(targets=5, rendered=2, unaffected=3), {}, "No changes: 2 of 5 targets rendered, all resources equal."),
        (Counts(targets=5, skipped=2, unaffected=3), {}, "No changes: 5 targets, none affected, 2 skipped."),
        (Counts(), {}, "No targets: nothing was found or selected, so nothing was compared."),
        (Counts(targets=2, rendered=1, noise=1), {"noise": 1}, "No changes beyond what is folded or ignored."),
        (Counts(targets=2, rendered=1, changed=1), {}, "No changes by the merge itself; some arrive later."),
        (Counts(targets=2, rendered=1, added=1), {"added": 1}, "1 to add, 0 to change, 0 to remove"),
    ],
)
def test_headline(counts, found, said):
    assert headline(counts, Counter(found)) == said


def test_a_headline_never_sounds_green_when_something_is_missing():
    assert headline(Counts(targets=2, failed=1), Counter(), failures=1) == (
        "No changes in what could be rendered, but 1 could not."
    )
    generator = NotRendered(id="appset.yaml", reason="yields nothing")
    view = build_view(build_report([outcome("a", status="unchanged")], compared=MERGE, not_rendered=[generator]))
    assert view.headline == "No changes in what could be rendered, but 1 could not."


def test_a_failed_target_is_a_failure_whichever_side_it_was():
    base_side = NotRendered(id="argocd/a/application.yaml#a", reason="base side: broken", failed=False)
    view = build_view(build_report([outcome("a", status="failed")], compared=MERGE, not_rendered=[base_side]))
    assert [one.failed for one in view.missing] == [True]


def test_a_reason_that_many_share_is_told_once():
    found = [NotRendered(id=f"apps/{n}", reason="no network", failed=False) for n in range(3)]
    found.append(NotRendered(id="apps/9", reason="broken"))
    view = build_view(build_report([], compared=MERGE, not_rendered=found))
    assert [(one.ids, one.reason, one.failed) for one in view.missing] == [
        (("apps/9",), "broken", True),
        (("apps/0", "apps/1", "apps/2"), "no network", False),
    ]


def test_coverage_names_every_target():
    counts = Counts(targets=243, rendered=4, unaffected=238, failed=1)
    assert coverage(counts) == "rendered 4 of 243 targets; 238 unaffected; 1 failed; 0 skipped"


def test_what_was_compared():
    base, head = "a" * 40, "b" * 40
    assert (
        compared_sentence(Compared(base=base, head="", base_branch="main"))
        == "main (aaaaaaaa) against the result of merging the working tree"
    )
    assert compared_sentence(Compared(base=base, head=head, how="direct")) == "aaaaaaaa against bbbbbbbb"
    assert (
        compared_sentence(Compared(base=base, head=head, how="conflict", base_branch="main"))
        == "bbbbbbbb against its merge base aaaaaaaa, because it does not merge into main"
    )


def test_only_a_removal_has_a_consequence():
    assert consequence("removed", "", "Namespace") == "everything in the namespace goes with it"
    assert consequence("changed", "", "Namespace") == ""
    assert consequence("removed", "example.org", "Namespace") == ""


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("spec.replicas", "replicas"),
        ("spec.template.spec.containers[name=api].image", "image"),
        ("spec.template.spec.containers[name=api].args[2]", "args"),
        ("spec.template.spec.containers[name=api].env[name=LOG_LEVEL].value", "env LOG_LEVEL"),
        ("spec.template.spec.containers[name=api].resources.limits.memory", "resources.limits.memory"),
        ("spec.template.spec.containers[name=api]", "containers api"),
        ("spec.template.spec.nodeSelector", "nodeSelector"),
        ("metadata.labels.team", "labels.team"),
        ("data.LOG_LEVEL", "data.LOG_LEVEL"),
        ("", ""),
    ],
)
def test_fields_go_by_the_name_people_use(path, name):
    assert short_name(path) == name


def test_a_long_summary_counts_its_rest():
    fields = [FieldChange(path=f"data.{letter}") for letter in "abcdefg"]
    assert field_summary(fields) == ("data.a", "data.b", "data.c", "data.d", "+3 more")
    assert len(field_summary(fields[:5])) == 5


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("nginx", ("nginx", "")),
        ("nginx:1.27", ("nginx", "1.27")),
        ("localhost:5000/web", ("localhost:5000/web", "")),
        ("localhost:5000/web:v1@sha256:ab", ("localhost:5000/web", "v1@sha256:ab")),
        ("ghcr.io/acme/api@sha256:ab", ("ghcr.io/acme/api", "sha256:ab")),
        ("", ("", "")),
    ],
)
def test_images_split_at_tag_or_digest(reference, parts):
    assert split_image(reference) == parts


def test_images_are_rows_of_repository_and_tags():
    def moving(before, after, name="a"):
        return outcome(name, msgspec.structs.replace(deployment(name), images=(("x", before, after),)))

    report = build_report(
        [
            moving("web:1", "web:2", "a"),
            moving("web:1", "web:2", "b"),
            moving("old/web:1", "new/web:1", "c"),
            moving(None, "new:1", "d"),
            moving("gone", None, "e"),
            moving("same:1", "same:1", "f"),
        ],
        compared=MERGE,
    )
    assert [
        (row.image, row.before, row.after, row.targets) for row in image_rows(report.changes, target_labels(report))
    ] == [
        ("gone", "(no tag)", "", ("e",)),
        ("new", "", "1", ("d",)),
        ("new/web", "old/web:1", "new/web:1", ("c",)),
        ("web", "1", "2", ("a", "b")),
    ]


def test_targets_that_share_a_name_go_by_their_ids():
    found = [Outcome(id=id_, name="web", file=id_, kind="Helm", status="unchanged") for id_ in ("a#web", "b#web")]
    found.append(Outcome(id="c#api", name="api", file="c", kind="Helm", status="unchanged"))
    assert target_labels(build_report(found, compared=MERGE)) == {"a#web": "a#web", "b#web": "b#web", "c#api": "api"}


def test_what_arrives_later_is_counted_and_shown_apart():
    view = build_view(later())
    assert view.headline == "0 to add, 1 to change, 0 to remove"
    assert view.details == ("later, when v*.*.* moves: 0 to add, 1 to change, 0 to remove",)
    assert [(section.reaches, len(section.blocks)) for section in view.sections] == [("", 1), ("v*.*.*", 1)]


def test_verdicts_take_the_worst():
    assert build_view(nothing()).verdict == "none"
    assert build_view(build_report([outcome("a", noise("a"))], compared=MERGE)).verdict == "none"
    assert build_view(build_report([], compared=MERGE)).verdict == "failed"
    unreadable = [NotRendered(id="apps/x.yaml", reason="broken YAML")]
    assert (
        build_view(build_report([outcome("a", deployment("a"))], compared=MERGE, not_rendered=unreadable)).verdict
        == "failed"
    )
