"""What targets as a whole raise, from real repositories through ``run_review``: each case beside its silent twin."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from gitops_bot.cli.reviewer import Revisions, run_review
from gitops_bot.cli.workspace import Wanted
from gitops_bot.model.report import Raised, Report
from gitops_bot.review.view import build_view
from gitops_bot.text.fit import fit_comment
from tests.conftest import Checkout

URL = "https://github.com/acme/shop"
Review = Callable[..., Report]


@pytest.fixture
def review(repository: Callable[..., Checkout]) -> Review:
    """Commit ``base``, then ``head`` on a branch, and review it."""

    def run(base: Mapping[str, str | None], head: Mapping[str, str | None]) -> Report:
        checkout = repository(base)
        checkout.git("remote", "add", "origin", URL)
        checkout.git("switch", "--quiet", "--create", "feature")
        checkout.commit(head)
        revisions = Revisions(repo=str(checkout.path), base="main", head="feature")
        return run_review(revisions, Wanted(no_cache=True, offline=True)).report

    return run


def raised(report: Report, id_: str) -> list[Raised]:
    return [one for one in report.signals if one.signal.id == id_]


def messages(report: Report, id_: str) -> list[str]:
    return [one.signal.message for one in raised(report, id_)]


def application(name: str = "shop", *, path: str = "shop", project: str = "default", namespace: str = "shop",
                sync: str = "", finalizers: str = "", url: str = URL, server: str = "https://kubernetes.default.svc") -> str:  # fmt: skip
    return (
        f"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}{finalizers}}}\nspec:\n"
        f"  project: {project}\n  destination: {{server: '{server}', namespace: {namespace}}}\n"
        f"  source: {{repoURL: '{url}', path: {path}}}\n{sync}"
    )


def manifest(kind: str, name: str, *, api_version: str = "v1", namespace: str = "", rest: str = "") -> str:
    place = f", namespace: {namespace}" if namespace else ""
    return f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: {name}{place}}}\n{rest}"


PRUNE = "  syncPolicy: {automated: {prune: true}}\n"
FINALIZER = ", finalizers: [resources-finalizer.argocd.argoproj.io]"
SERVICE = manifest("Service", "web", rest="spec: {selector: {app: web}, ports: [{port: 80}]}\n")
CLAIM = manifest("PersistentVolumeClaim", "data", rest="spec: {resources: {requests: {storage: 1Gi}}}\n")
OLD_BUDGET = manifest("PodDisruptionBudget", "web", api_version="policy/v1beta1", rest="spec: {minAvailable: 1}\n")
SETTINGS = (
    "version: 1\nenvironments:\n  production: {branch: main, applications: apps, cluster: prod, protected: true}\n"
)


def project(
    *, name: str = "team", repos: str = f"['{URL}']", places: str = "[{server: '*', namespace: shop}]", rest: str = ""
) -> str:
    return (
        f"apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {{name: {name}}}\n"
        f"spec:\n  sourceRepos: {repos}\n  destinations: {places}\n{rest}"
    )


def base(*extra: tuple[str, str], app: str | None = None) -> dict[str, str]:
    return {"apps/shop.yaml": app or application(), "shop/service.yaml": SERVICE, **dict(extra)}


# -- deletions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sync", "severity"),
    [
        (PRUNE, "error"),
        ("", "info"),
        ("  syncPolicy: {automated: {}}\n", "info"),
        ("  syncPolicy: {automated: {prune: false, selfHeal: true}}\n", "info"),
        ("  syncPolicy: {automated: {prune: true, enabled: false}}\n", "info"),
    ],
)
def test_a_deletion_is_as_loud_as_the_application_prunes(review: Review, sync: str, severity: str) -> None:
    report = review(base(("shop/claim.yaml", CLAIM), app=application(sync=sync)), {"shop/claim.yaml": None})
    (one,) = [each for each in raised(report, "data-deletion") if each.targets == ("apps/shop.yaml#shop",)]
    assert one.signal.severity == severity
    assert ("not pruned by itself" in one.signal.message) is (severity == "info")


def test_the_heads_sync_policy_decides_because_it_is_what_argo_cd_will_see(review: Review) -> None:
    head = {"shop/claim.yaml": None, "apps/shop.yaml": application(sync=PRUNE)}
    (one,) = raised(review(base(("shop/claim.yaml", CLAIM)), head), "data-deletion")
    assert one.signal.severity == "error"


KEPT = CLAIM.replace("{name: data}", "{name: data, annotations: {argocd.argoproj.io/sync-options: 'Prune=false'}}")
LEFT = CLAIM.replace("{name: data}", "{name: data, annotations: {argocd.argoproj.io/sync-options: 'Delete=false'}}")


@pytest.mark.parametrize(
    ("finalizers", "claim", "severities"),
    [
        (FINALIZER, CLAIM, ["error"]),
        ("", CLAIM, ["info"]),
        (FINALIZER, KEPT, ["error"]),  # a cascade asks for Delete=false, not for Prune=false
        (FINALIZER, LEFT, []),
    ],
)
def test_a_removed_target_takes_its_objects_along_only_by_its_finalizer(
    review: Review, finalizers: str, claim: str, severities: list[str]
) -> None:
    files = base(("shop/claim.yaml", claim), app=application(finalizers=finalizers))
    report = review(files, {"apps/shop.yaml": None, "shop/claim.yaml": None, "shop/service.yaml": None})
    found = [one for one in raised(report, "data-deletion") if "apps/shop.yaml#shop" in one.targets]
    assert [one.signal.severity for one in found] == severities


@pytest.mark.parametrize(
    ("policy", "severity"), [("", "error"), ("  syncPolicy: {preserveResourcesOnDeletion: true}\n", "info")]
)
def test_what_an_application_set_no_longer_generates_goes_with_its_objects(
    review: Review, policy: str, severity: str
) -> None:
    def generating(elements: str) -> str:
        return (
            f"apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {{name: all}}\nspec:\n{policy}"
            f"  generators: [{{list: {{elements: [{elements}]}}}}]\n"
            "  template:\n    metadata: {name: '{{name}}'}\n    spec:\n      project: default\n"
            f"      destination: {{namespace: x}}\n      source: {{repoURL: '{URL}', path: shop}}\n"
        )

    files = {"shop/claim.yaml": CLAIM, "sets/all.yaml": generating("{name: a}, {name: b}")}
    report = review(files, {"sets/all.yaml": generating("{name: a}")})
    (one,) = raised(report, "data-deletion")
    assert one.signal.severity == severity
    assert one.targets[0].endswith("#b")


# -- AppProjects ------------------------------------------------------------------------------------------------------

SECRET = manifest("ConfigMap", "other", namespace="kube-system")


def test_an_object_in_a_namespace_that_the_project_forbids(review: Review) -> None:
    files = base(("projects/team.yaml", project()), app=application(project="team"))
    (one,) = raised(review(files, {"shop/other.yaml": SECRET}), "project-forbids")
    assert one.signal.message == "AppProject team does not allow the namespace kube-system"
    assert (one.signal.kind, one.signal.name, one.targets) == ("ConfigMap", "other", ("apps/shop.yaml#shop",))


def test_an_object_where_the_project_allows_it_raises_nothing(review: Review) -> None:
    files = base(("projects/team.yaml", project()), app=application(project="team"))
    assert raised(review(files, {"shop/other.yaml": manifest("ConfigMap", "other")}), "project-forbids") == []


def test_what_was_forbidden_before_and_stays_raises_nothing(review: Review) -> None:
    files = base(("projects/team.yaml", project()), ("shop/other.yaml", SECRET), app=application(project="team"))
    assert raised(review(files, {"shop/new.yaml": manifest("ConfigMap", "new")}), "project-forbids") == []


def test_a_head_that_widens_its_project_does_not_escape(review: Review) -> None:
    files = base(("projects/team.yaml", project()), app=application(project="team"))
    wide = {"projects/team.yaml": project(places="[{server: '*', namespace: '*'}]"), "shop/other.yaml": SECRET}
    (one,) = raised(review(files, wide), "project-forbids")
    assert "this change would allow it" in one.signal.message


def test_a_head_that_puts_a_second_project_of_the_name_beside_does_not_escape(review: Review) -> None:
    files = base(("projects/team.yaml", project()), app=application(project="team"))
    wide = {"more/team.yaml": project(places="[{server: '*', namespace: '*'}]"), "shop/other.yaml": SECRET}
    assert len(raised(review(files, wide), "project-forbids")) == 1


def test_a_project_that_only_the_head_has_judges_and_says_so(review: Review) -> None:
    head = {"projects/team.yaml": project(), "apps/shop.yaml": application(project="team"), "shop/other.yaml": SECRET}
    found = messages(review(base(), head), "project-forbids")
    assert found == ["AppProject team, which this change adds, does not allow the namespace kube-system"]


def test_an_application_that_moves_into_a_project_is_judged_with_all_it_has(review: Review) -> None:
    rest = "  namespaceResourceBlacklist: [{group: '', kind: Service}]\n"
    files = base(("projects/team.yaml", project(rest=rest)))
    found = messages(review(files, {"apps/shop.yaml": application(project="team")}), "project-forbids")
    assert found == ["AppProject team does not allow objects of kind Service"]


def test_source_and_destination_of_a_new_application_are_judged(review: Review) -> None:
    files = base(
        ("projects/team.yaml", project(repos="['https://github.com/other/*']", places="[{name: else, namespace: x}]"))
    )
    found = messages(review(files, {"apps/new.yaml": application("new", project="team")}), "project-forbids")
    assert sorted(found)[:2] == [
        "AppProject team does not allow the destination https://kubernetes.default.svc, namespace shop",
        f"AppProject team does not allow the source {URL}",
    ]


OTHER = "https://github.com/evil/shop"
KINDS = "  clusterResourceWhitelist: [{{group: '', kind: Namespace}}{}]\n"
FORBIDS = "  namespaceResourceBlacklist: [{group: '', kind: Secret}]\n"
ONLY = "  namespaceResourceWhitelist: [{group: apps, kind: '*'}]\n"
WIDER = [
    ("source", project(), project(repos=f"['{URL}', '{OTHER}']"), f"the source {OTHER}"),
    ("any source", project(), project(repos="['*']"), "the source *"),
    ("forbidden source", project(repos=f"['*', '!{OTHER}']"), project(repos="['*']"), f"the forbidden source {OTHER}"),
    ("namespace", project(), project(places="[{server: '*', namespace: shop}, {server: '*', namespace: kube-system}]"),
     "the destination *, namespace kube-system"),
    ("every namespace", project(), project(places="[{server: '*', namespace: '*'}]"), "the destination *, namespace *"),
    ("cluster", project(places="[{name: dev, namespace: shop}]"), project(places="[{name: '*', namespace: shop}]"),
     "the destination *, namespace shop"),
    ("forbidden place", project(places="[{server: '*', namespace: '*'}, {server: '*', namespace: '!a'}]"),
     project(places="[{server: '*', namespace: '*'}]"), "the forbidden destination *, namespace !a"),
    ("cluster-scoped kind", project(rest=KINDS.format("")),
     project(rest=KINDS.format(", {group: rbac.authorization.k8s.io, kind: ClusterRole}")),
     "cluster-scoped kind ClusterRole.rbac.authorization.k8s.io"),
    ("kind that was forbidden", project(rest=FORBIDS), project(), "the forbidden namespaced kind Secret"),
    ("namespaced kind", project(rest=ONLY), project(rest=ONLY.replace("apps", "'*'")), "namespaced kind *.*"),
    ("every namespaced kind", project(rest=ONLY), project(), "every namespaced kind"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "says"), [case[1:] for case in WIDER], ids=[case[0] for case in WIDER])
def test_a_project_that_allows_more_is_told_although_nothing_renders_it(
    review: Review, before: str, after: str, says: str
) -> None:
    tree = base(("apps/project.yaml", before), app=application(project="team"))
    report = review(tree, {"apps/project.yaml": after})
    (one,) = raised(report, "project-widened")
    assert (one.signal.message, one.signal.severity) == (f"AppProject team allows more: {says}", "warning")
    assert (one.signal.kind, one.signal.name, one.targets) == ("AppProject", "team", ("apps/shop.yaml#shop",))
    assert not report.routine


SAME = [(after, before) for _, before, after, _ in WIDER] + [
    (project(repos=f"['{URL}']"), project(repos=f"['{URL}.git']")),
    (project(repos="['https://github.com/acme/*']"), project(repos=f"['{URL}']")),
    (project(places="[{server: '*', namespace: 'shop-*'}]"), project(places="[{server: '*', namespace: shop-a}]")),
    (project(rest=KINDS.format("")), project(rest=KINDS.format(", {group: '', kind: Namespace, name: a}"))),
    (project(rest=KINDS.format(", {group: a, kind: B}")), project(rest=KINDS.format(""))),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after"), SAME)
def test_a_project_that_allows_as_much_or_less_is_not(review: Review, before: str, after: str) -> None:
    tree = base(("apps/project.yaml", before), app=application(project="team"))
    assert raised(review(tree, {"apps/project.yaml": after}), "project-widened") == []


@pytest.mark.parametrize("known", [True, False], ids=["that was there", "that comes with it"])
def test_an_application_that_moves_to_a_wider_project_is_told(review: Review, known: bool) -> None:
    wide = ("apps/open.yaml", project(name="open", repos="['*']"))
    tree = base(("apps/project.yaml", project()), *[wide] * known, app=application(project="team"))
    report = review(tree, dict([wide]) | {"apps/shop.yaml": application(project="open")})
    assert messages(report, "project-widened") == [
        "it moves from AppProject team to open, which allows more: the source *"
    ]


@pytest.mark.parametrize(
    ("start", "end", "count"), [("team", "default", 1), ("default", "team", 0), ("team", "unknown", 0)]
)
def test_the_default_project_allows_everything_and_an_unknown_one_nobody_knows_what(
    review: Review, start: str, end: str, count: int
) -> None:
    tree = base(("apps/project.yaml", project()), app=application(project=start))
    report = review(tree, {"apps/shop.yaml": application(project=end)})
    assert len(messages(report, "project-widened")) == count


def test_a_wider_project_is_silenced_like_everything(review: Review) -> None:
    silence = "version: 1\nreview: {silence: [{signal: project-widened, apps: [shop], reason: agreed}]}\n"
    tree = base(("apps/project.yaml", project()), (".gitops-bot.yaml", silence), app=application(project="team"))
    (one,) = raised(review(tree, {"apps/project.yaml": project(repos="['*']")}), "project-widened")
    assert one.silenced == "agreed"


def test_a_missing_project_is_said_once_and_raises_nothing(review: Review) -> None:
    files = {**base(app=application(project="absent")), "apps/b.yaml": application("b", project="absent")}
    report = review(files, {"shop/other.yaml": SECRET})
    assert raised(report, "project-forbids") == []
    assert [note for note in report.notes if "absent" in note] == [
        "AppProject absent is not defined in this repository: what it allows was not checked"
    ]
    assert not [note for note in review_notes(report) if "default" in note]


def review_notes(report: Report) -> list[str]:
    return [note for note in report.notes if "AppProject" in note]


# -- API versions -----------------------------------------------------------------------------------------------------


def cluster(version: str) -> str:
    return f"kube_version: '{version}'\n"


def test_an_added_object_in_a_version_that_the_cluster_does_not_serve(review: Review) -> None:
    files = base((".gitops-bot.yaml", SETTINGS), (".gitops-bot/clusters/prod.yaml", cluster("1.30")))
    (one,) = raised(review(files, {"shop/budget.yaml": OLD_BUDGET}), "removed-api")
    assert one.signal.message.startswith("PodDisruptionBudget in policy/v1beta1 is gone since Kubernetes 1.25")


@pytest.mark.parametrize("version", ["1.24", ""])
def test_an_older_or_unknown_cluster_raises_nothing(review: Review, version: str) -> None:
    known = [(".gitops-bot/clusters/prod.yaml", cluster(version))] if version else []
    files = base((".gitops-bot.yaml", SETTINGS), *known)
    assert raised(review(files, {"shop/budget.yaml": OLD_BUDGET}), "removed-api") == []


def test_a_cluster_that_rises_is_judged_with_everything_although_nothing_else_changes(review: Review) -> None:
    files = base(
        (".gitops-bot.yaml", SETTINGS),
        (".gitops-bot/clusters/prod.yaml", cluster("1.24")),
        ("shop/budget.yaml", OLD_BUDGET),
    )
    report = review(files, {".gitops-bot/clusters/prod.yaml": cluster("1.25")})
    (one,) = raised(report, "removed-api")
    assert "to which this change raises its cluster from 1.24" in one.signal.message
    assert [target.status for target in report.targets if target.name == "shop"] == ["unchanged"]


def test_a_cluster_that_rises_past_nothing_raises_nothing(review: Review) -> None:
    files = base(
        (".gitops-bot.yaml", SETTINGS),
        (".gitops-bot/clusters/prod.yaml", cluster("1.27")),
        ("shop/budget.yaml", OLD_BUDGET),
    )
    assert raised(review(files, {".gitops-bot/clusters/prod.yaml": cluster("1.28")}), "removed-api") == []


def test_a_head_that_claims_an_older_cluster_does_not_escape(review: Review) -> None:
    files = base((".gitops-bot.yaml", SETTINGS), (".gitops-bot/clusters/prod.yaml", cluster("1.30")))
    head = {".gitops-bot/clusters/prod.yaml": cluster("1.20"), "shop/budget.yaml": OLD_BUDGET}
    assert len(raised(review(files, head), "removed-api")) == 1


def test_the_settings_version_holds_where_there_is_no_snapshot(review: Review) -> None:
    files = base((".gitops-bot.yaml", "version: 1\nrender: {kube_version: '1.24'}\n"), ("shop/budget.yaml", OLD_BUDGET))
    report = review(files, {".gitops-bot.yaml": "version: 1\nrender: {kube_version: '1.25'}\n"})
    assert len(raised(report, "removed-api")) == 1


# -- duplicates, charts, models ---------------------------------------------------------------------------------------


def test_an_object_that_is_newly_rendered_twice(review: Review) -> None:
    report = review(base(), {"shop/again.yaml": SERVICE})
    (one,) = raised(report, "duplicate-resource")
    assert (one.signal.kind, one.signal.name) == ("Service", "web")


def test_an_object_that_was_rendered_twice_before_raises_nothing(review: Review) -> None:
    report = review(base(("shop/again.yaml", SERVICE)), {"shop/more.yaml": manifest("ConfigMap", "more")})
    assert raised(report, "duplicate-resource") == []


MODELS = (
    SETTINGS + "models:\n  - name: churn\n    write:\n"
    "      - {file: 'shop/values-{environment}.yaml', version: model.version, path: model.path}\n"
)
CHART = {
    "shop/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
    "shop/templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {m: '{{ .Values.model.version }}'}\n",
    "shop/values-production.yaml": "model: {version: v1.2.3, path: 's3://models/churn/v1.2.3/'}\n",
    "apps/shop.yaml": application().replace("path: shop}", "path: shop, helm: {valueFiles: [values-production.yaml]}}"),
}


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ("model: {version: champion, path: 's3://models/churn/v1.2.3/'}\n", 1),
        ("model: {version: latest, path: 's3://models/churn/latest/'}\n", 2),
        ("model: {version: v1.2.3, path: 'models:/churn@champion'}\n", 1),
        ("model: {version: v1.2.3, path: 'models:/churn/Production'}\n", 1),
        ("model: {version: v1.2.4, path: 's3://models/churn/v1.2.4/'}\n", 0),
        ("model: {version: 7, path: 'models:/churn/7'}\n", 0),
    ],
)
def test_a_model_that_can_move_in_a_protected_environment(review: Review, helm: str, values: str, count: int) -> None:
    report = review({**CHART, ".gitops-bot.yaml": MODELS}, {"shop/values-production.yaml": values})
    found = raised(report, "mutable-model")
    assert len(found) == count
    assert all(one.targets == ("apps/shop.yaml#shop",) for one in found)


def test_other_environments_of_the_same_chart_are_not_meant(review: Review, helm: str) -> None:
    staging = (
        CHART["apps/shop.yaml"].replace("values-production", "values-staging").replace("name: shop", "name: other")
    )
    files = {**CHART, "staging/shop.yaml": staging, "shop/values-staging.yaml": CHART["shop/values-production.yaml"]}
    head = {"shop/values-production.yaml": "model: {version: champion, path: x}\n"}
    report = review({**files, ".gitops-bot.yaml": MODELS}, head)
    assert [one.targets for one in raised(report, "mutable-model")] == [("apps/shop.yaml#shop",)]


def test_a_model_that_could_move_before_raises_nothing(review: Review, helm: str) -> None:
    moving = {"shop/values-production.yaml": "model: {version: champion, path: x}\n"}
    more = {"shop/values-production.yaml": "model: {version: champion, path: y}\nother: 1\n"}
    assert raised(review({**CHART, **moving, ".gitops-bot.yaml": MODELS}, more), "mutable-model") == []


def test_an_environment_that_is_not_protected_may_follow_an_alias(review: Review, helm: str) -> None:
    free = MODELS.replace("protected: true", "protected: false")
    head = {"shop/values-production.yaml": "model: {version: champion, path: x}\n"}
    assert raised(review({**CHART, ".gitops-bot.yaml": free}, head), "mutable-model") == []


def test_a_head_that_takes_the_protection_away_does_not_escape(review: Review, helm: str) -> None:
    free = MODELS.replace("protected: true", "protected: false")
    head = {"shop/values-production.yaml": "model: {version: champion, path: x}\n", ".gitops-bot.yaml": free}
    assert len(raised(review({**CHART, ".gitops-bot.yaml": MODELS}, head), "mutable-model")) == 1


POD = (
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d}}\nspec:\n  selector: {{matchLabels: {{a: b}}}}\n"
    "  template:\n    metadata: {{labels: {{a: b}}}}\n    spec:\n      containers:\n"
    "      - {{name: c, image: 'x:1.0.0', env: [{{name: MODEL, value: '{value}'}}], args: ['--model={arg}']}}\n"
)


@pytest.mark.parametrize(
    ("value", "arg", "count"),
    [("models:/churn@champion", "x", 1), ("models:/churn/3", "models:/churn/Staging", 1), ("models:/churn/3", "a", 0)],
)
def test_an_object_of_a_protected_environment_that_names_a_moving_model(
    review: Review, value: str, arg: str, count: int
) -> None:
    files = base((".gitops-bot.yaml", SETTINGS), ("shop/d.yaml", POD.format(value="models:/churn/2", arg="a")))
    found = raised(review(files, {"shop/d.yaml": POD.format(value=value, arg=arg)}), "mutable-model")
    assert len(found) == count


def test_an_object_of_any_other_environment_may_name_a_moving_model(review: Review) -> None:
    files = base(("shop/d.yaml", POD.format(value="models:/churn/2", arg="a")))
    assert raised(review(files, {"shop/d.yaml": POD.format(value="models:/churn@x", arg="a")}), "mutable-model") == []


# -- silence, groups, routine -----------------------------------------------------------------------------------------

SILENT = "version: 1\nreview: {silence: [{signal: duplicate-resource, apps: ['shop'], reason: known}]}\n"


def test_the_bases_settings_silence_with_their_reason(review: Review) -> None:
    (one,) = raised(review(base((".gitops-bot.yaml", SILENT)), {"shop/again.yaml": SERVICE}), "duplicate-resource")
    assert one.silenced == "known"


def test_a_head_that_silences_its_own_signal_does_not(review: Review) -> None:
    head = {"shop/again.yaml": SERVICE, ".gitops-bot.yaml": SILENT}
    (one,) = raised(review(base(), head), "duplicate-resource")
    assert one.silenced is None


def test_a_head_that_renames_its_application_into_the_silence_does_not_escape(review: Review) -> None:
    silent = SILENT.replace("'shop'", "'quiet-*'")
    head = {"shop/again.yaml": SERVICE, "apps/shop.yaml": application("quiet-shop")}
    found = raised(review(base((".gitops-bot.yaml", silent)), head), "duplicate-resource")
    assert [one.silenced for one in found] == [None]


def test_one_signal_in_a_hundred_targets_is_told_once(review: Review) -> None:
    files = {"shop/service.yaml": SERVICE.replace("{name: web}", "{name: web, namespace: one}")}
    files |= {f"apps/{n:03}.yaml": application(f"shop-{n:03}", namespace="one") for n in range(100)}
    report = review(files, {"shop/again.yaml": files["shop/service.yaml"]})
    (one,) = raised(report, "duplicate-resource")
    assert len(one.targets) == 100


def test_one_image_in_a_hundred_apps_is_a_short_comment(review: Review) -> None:
    def shops(tag: str) -> dict[str, str | None]:
        pod = f"spec: {{template: {{spec: {{containers: [{{name: web, image: 'ghcr.io/acme/web:{tag}'}}]}}}}}}\n"
        work = {f"a{n}/web.yaml": manifest("Deployment", "web", api_version="apps/v1", rest=pod) for n in range(100)}
        apps = {f"apps/a{n}.yaml": application(f"a{n}", path=f"a{n}", namespace=f"team-{n:03}") for n in range(100)}
        return {**work, **apps}

    report = review(shops("v1.4.2"), shops("v1.4.3"))
    assert (report.counts.changed, report.routine) == (100, True)
    text = fit_comment(build_view(report)).text
    assert len(text) < 6_000
    assert all(f"a{n}" in text for n in range(100))


def test_one_message_about_a_hundred_objects_is_one_risk(review: Review) -> None:
    files = {"shop/service.yaml": SERVICE}
    files |= {f"apps/{n:03}.yaml": application(f"shop-{n:03}", namespace=f"n-{n:03}") for n in range(100)}
    report = review(files, {"shop/again.yaml": SERVICE})
    assert len(raised(report, "duplicate-resource")) == 100
    (risk,) = build_view(report).risks
    assert (len(risk.objects), len(risk.targets)) == (100, 100)
    assert risk.objects[0] == "Service web (n-000)"


def test_what_arrives_later_is_a_risk_apart(review: Review) -> None:
    later = application("later").replace("path: shop}", "path: shop, targetRevision: v1}")
    report = review(base(("apps/later.yaml", later)), {"shop/again.yaml": SERVICE})
    risks = build_view(report).risks
    assert [(risk.reaches, risk.targets) for risk in risks] == [("", ("shop",)), ("v1", ("later",))]


DEPLOYMENT = POD.format(value="v", arg="a")


@pytest.mark.parametrize(
    ("to", "routine"),
    [
        ("x:1.0.1", True),
        ("x:1.1.0", False),
        ("x:2.0.0", False),
        ("x:0.9.9", False),
        ("y:1.0.1", False),
        ("x:1.0.1-debug", False),
    ],
)
def test_routine_is_a_patch_version_of_an_image(review: Review, to: str, routine: bool) -> None:
    report = review(base(("shop/d.yaml", DEPLOYMENT)), {"shop/d.yaml": DEPLOYMENT.replace("x:1.0.0", to)})
    assert report.routine is routine


@pytest.mark.parametrize(
    "more",
    [
        {"shop/new.yaml": manifest("ConfigMap", "new")},
        {"shop/service.yaml": None},
        {"shop/d.yaml": DEPLOYMENT.replace("x:1.0.0", "x:1.0.1").replace("--model=a", "--model=b")},
        {"apps/shop.yaml": application(sync=PRUNE)},
        {"apps/new.yaml": application("new")},
    ],
)
def test_nothing_is_routine_with_anything_else_in_it(review: Review, more: Mapping[str, str | None]) -> None:
    patch = {"shop/d.yaml": DEPLOYMENT.replace("x:1.0.0", "x:1.0.1")}
    assert not review(base(("shop/d.yaml", DEPLOYMENT)), {**patch, **more}).routine


def test_no_change_at_all_is_not_routine(review: Review) -> None:
    assert not review(base(), {"README.md": "hello\n"}).routine


def test_a_plan_over_all_moves_with_each_target_and_says_why_there_is_none(review: Review) -> None:
    first = build_view(review(base(), {"shop/new.yaml": manifest("ConfigMap", "new")}))
    assert first.plan is not None
    assert first.plan.startswith("sha256:")
    assert first.plan_reason is None


def test_no_plan_over_all_without_changes(review: Review) -> None:
    view = build_view(review(base(), {"README.md": "x\n"}))
    assert (view.plan, view.plan_reason) == (None, "no target changes")


# -- what ignoreDifferences hides --------------------------------------------------------------------------------------

HIDDEN = (
    "  ignoreDifferences: [{group: apps, kind: Deployment, jqPathExpressions: "
    "['.spec.template.spec.containers[].securityContext', .spec.template.spec.hostPID]}]\n"
)
RESPECTED = HIDDEN + "  syncPolicy: {syncOptions: [RespectIgnoreDifferences=true]}\n"


def worker(rights: bool, labels: str = "") -> str:
    flag = str(rights).lower()
    pod = f"hostPID: {flag}, containers: [{{name: c, image: 'x:1', securityContext: {{privileged: {flag}}}}}]"
    spec = f"selector: {{matchLabels: {{a: b}}}}, template: {{metadata: {{labels: {{a: b}}}}, spec: {{{pod}}}}}"
    return f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, labels: {{{labels}}}}}\nspec: {{{spec}}}\n"


def test_rights_behind_a_rule_of_both_sides_are_told(review: Review) -> None:
    app = {"apps/shop.yaml": application(sync=HIDDEN)}
    report = review({**app, "shop/web.yaml": worker(False)}, {"shop/web.yaml": worker(True)})
    assert [change.bucket for change in report.changes] == ["ignored"]
    assert sorted(messages(report, "privileged")) == [
        "The pod shares its node's PID: hostPID",
        "container c becomes privileged",
    ]


def test_what_is_hidden_and_not_applied_is_not_told(review: Review) -> None:
    app = {"apps/shop.yaml": application(sync=RESPECTED)}
    report = review({**app, "shop/web.yaml": worker(False)}, {"shop/web.yaml": worker(True)})
    assert [change.bucket for change in report.changes] == ["ignored"]
    assert messages(report, "privileged") == []


@pytest.mark.parametrize(("before", "after"), [(HIDDEN, RESPECTED), (RESPECTED, HIDDEN)])
def test_rights_are_told_while_only_one_side_does_not_apply_them(review: Review, before: str, after: str) -> None:
    old = {"apps/shop.yaml": application(sync=before), "shop/web.yaml": worker(False)}
    new = {"apps/shop.yaml": application(sync=after), "shop/web.yaml": worker(True)}
    assert len(messages(review(old, new), "privileged")) == 2


def test_the_rule_itself_is_told(review: Review) -> None:
    files = {"apps/shop.yaml": application(), "shop/web.yaml": worker(False)}
    report = review(files, {"apps/shop.yaml": application(sync=HIDDEN)})
    (one,) = raised(report, "ignore-widened")
    assert (one.signal.severity, one.signal.kind, one.signal.name) == ("warning", "Application", "shop")


def test_a_rule_that_was_there_is_not_told(review: Review) -> None:
    files = {"apps/shop.yaml": application(sync=HIDDEN), "shop/web.yaml": worker(False)}
    report = review(files, {"apps/shop.yaml": application(sync=RESPECTED), "shop/web.yaml": worker(False, "x: y")})
    assert messages(report, "ignore-widened") == [
        "what ignoreDifferences hides is not applied any more: RespectIgnoreDifferences=true"
    ]


def test_an_object_whose_differences_are_folded_is_looked_at(review: Review) -> None:
    claim = CLAIM.replace("{name: data}", "{name: data, labels: {helm.sh/chart: a-1.0.0}, annotations: {%s}}")
    forced = "argocd.argoproj.io/sync-options: 'Replace=true,Force=true'"
    report = review(
        base(("shop/claim.yaml", claim % forced)),
        {"shop/claim.yaml": (claim % forced).replace("1.0.0", "1.0.1")},
    )
    assert [change.bucket for change in report.changes] == ["noise"]
    assert len(messages(report, "data-deletion")) == 1


@pytest.mark.parametrize(
    ("phase", "sync", "severity"),
    [("PreSync", "", "error"), ("PreSync", PRUNE, "error"), ("PostDelete", "", "info"), ("PostDelete", PRUNE, "error")],
)
def test_an_object_that_becomes_a_hook_goes_whether_or_not_the_application_prunes(
    review: Review, phase: str, sync: str, severity: str
) -> None:
    hooked = CLAIM.replace("{name: data}", f"{{name: data, annotations: {{argocd.argoproj.io/hook: {phase}}}}}")
    report = review(base(("shop/claim.yaml", CLAIM), app=application(sync=sync)), {"shop/claim.yaml": hooked})
    assert [one.signal.severity for one in raised(report, "data-deletion")] == [severity]


@pytest.mark.parametrize(("sync", "count"), [("", 0), ("  syncPolicy: {syncOptions: [Replace=true]}\n", 1)])
def test_an_application_that_replaces_everything_recreates_forced_claims(review: Review, sync: str, count: int) -> None:
    forced = CLAIM.replace("{name: data}", "{name: data, annotations: {argocd.argoproj.io/sync-options: Force=true}}")
    grown = forced.replace("1Gi", "2Gi")
    report = review(base(("shop/claim.yaml", forced), app=application(sync=sync)), {"shop/claim.yaml": grown})
    assert len(messages(report, "data-deletion")) == count
