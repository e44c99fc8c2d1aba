from __future__ import annotations

import pytest

from gitops_bot.agent.rules.options import ApplicationOptions, application_options, effective, object_options

NONE = ApplicationOptions()


def annotated(options: str = "", compare: str = "") -> dict[str, str]:
    return {"argocd.argoproj.io/sync-options": options, "argocd.argoproj.io/compare-options": compare}


def test_an_application_that_asks_for_nothing() -> None:
    assert application_options(()) == NONE
    assert (NONE.prune, NONE.delete, NONE.propagation, NONE.validate, NONE.migrate) == (
        "true",
        "true",
        "foreground",
        True,
        True,
    )


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("CreateNamespace=true", ApplicationOptions(create_namespace=True)),
        ("Prune=false", ApplicationOptions(prune="false")),
        ("Prune=confirm", ApplicationOptions(prune="confirm")),
        ("Delete=false", ApplicationOptions(delete="false")),
        ("Delete=confirm", ApplicationOptions(delete="confirm")),
        ("PruneLast=true", ApplicationOptions(prune_last=True)),
        ("PrunePropagationPolicy=background", ApplicationOptions(propagation="background")),
        ("PrunePropagationPolicy=orphan", ApplicationOptions(propagation="orphan")),
        ("PrunePropagationPolicy=foreground", NONE),
        ("Replace=true", ApplicationOptions(replace=True)),
        ("Force=true", ApplicationOptions(force=True)),
        ("Validate=false", ApplicationOptions(validate=False)),
        ("SkipDryRunOnMissingResource=true", ApplicationOptions(skip_dry_run_on_missing=True)),
        ("ApplyOutOfSyncOnly=true", ApplicationOptions(out_of_sync_only=True)),
        ("RespectIgnoreDifferences=true", ApplicationOptions(respect_ignored=True)),
        ("FailOnSharedResource=true", ApplicationOptions(fail_on_shared=True)),
        ("ClientSideApplyMigration=false", ApplicationOptions(migrate=False)),
        ("ServerSideApply=true", NONE),
        ("ServerSideApply=false", NONE),
        (" PruneLast=true ", ApplicationOptions(prune_last=True)),
        ("", NONE),
    ],
)
def test_options_of_an_application(option: str, expected: ApplicationOptions) -> None:
    assert application_options([option]) == expected


@pytest.mark.parametrize(
    "option",
    ["CreateNamespace=yes", "createNamespace=true", "PruneLast", "Prune=never", "PrunePropagationPolicy=Background", "Flux=true", "=", "Prune = false"],
)  # fmt: skip
def test_what_is_no_option_is_named_and_has_no_effect(option: str) -> None:
    assert application_options([option, option]) == ApplicationOptions(unknown=(option,))
    assert object_options(annotated(option)).unknown == (option,)


def test_options_that_only_an_application_has_are_unknown_on_an_object() -> None:
    found = object_options(annotated("CreateNamespace=true,Prune=false", "IgnoreExtraneous,IgnoreExtraneos"))
    assert found.unknown == ("CreateNamespace=true", "IgnoreExtraneos")
    assert found.prune == "false"
    assert found.ignore_extraneous


@pytest.mark.parametrize(
    ("both", "prune"),
    [
        ("Prune=true,Prune=false", "false"),
        ("Prune=confirm,Prune=true", "confirm"),
        ("Prune=false,Prune=confirm", "false"),
    ],
)
def test_of_several_words_the_careful_one_counts(both: str, prune: str) -> None:
    assert object_options(annotated(both)).prune == prune
    assert object_options(annotated("Replace=true,Replace=false")).replace is False
    assert object_options(annotated("Validate=true,Validate=false")).validate is True
    given = ["PrunePropagationPolicy=background", "PrunePropagationPolicy=orphan"]
    assert application_options(given).propagation == "orphan"


@pytest.mark.parametrize(
    ("application", "live", "prune"),
    [
        ("", "", "true"),
        ("Prune=false", "", "false"),
        ("Prune=false", "Prune=true", "true"),
        ("Prune=confirm", "Prune=false", "false"),
        ("", "Prune=confirm", "confirm"),
    ],
)
def test_the_live_object_beats_its_application(application: str, live: str, prune: str) -> None:
    options = application_options([application])
    assert effective(options, None, annotated(live)).prune == prune
    delete = application_options([application.replace("Prune", "Delete")])
    assert effective(delete, None, annotated(live.replace("Prune", "Delete"))).delete == prune


def test_what_git_says_about_pruning_does_not_count_before_it_is_live() -> None:
    assert effective(NONE, annotated("Prune=false"), annotated()).prune == "true"
    assert effective(NONE, annotated("Prune=false"), None).prune == "false"


@pytest.mark.parametrize("option", ["Replace", "Force"])
def test_replace_and_force_count_wherever_they_are(option: str) -> None:
    name, on, off = option.lower(), annotated(f"{option}=true"), annotated(f"{option}=false")
    application = application_options([f"{option}=true"])
    for app, desired, live, expected in (
        (application, None, None, True), (NONE, on, {}, True), (NONE, {}, on, True), (NONE, {}, {}, False),
        (application, off, None, False), (NONE, off, on, False),
    ):  # fmt: skip
        assert getattr(effective(app, desired, live), name) is expected


def test_validation_is_for_git_and_the_application_to_say() -> None:
    lax = application_options(["Validate=false"])
    assert effective(NONE, annotated("Validate=false"), {}).validate is False
    assert effective(NONE, {}, annotated("Validate=false")).validate is True
    assert effective(lax, {}, {}).validate is False
    assert effective(lax, annotated("Validate=true"), {}).validate is True


@pytest.mark.parametrize(("policy", "keep"), [("keep", True), (" keep ", True), ("delete", False), ("", False)])
def test_what_helm_keeps(policy: str, keep: bool) -> None:
    assert object_options({"helm.sh/resource-policy": policy}).keep is keep
