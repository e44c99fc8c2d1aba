"""The cases of the golden files: what became of each target, as the flow would hand it over."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gitops_bot.model.change import FieldChange, ResourceChange, TargetChanges
from gitops_bot.model.report import Compared, Report, Status
from gitops_bot.model.resource import ResourceKey
from gitops_bot.model.settings import Silence
from gitops_bot.model.signal import CATALOGUE, Signal
from gitops_bot.model.target import NotRendered
from gitops_bot.review.report import Outcome, build_report

BASE = "0123abc4567890123abc4567890123abc4567890"
HEAD = "89abcdef0123456789abcdef0123456789abcdef"
MERGE = Compared(base=BASE, head=HEAD, base_branch="main")
TOOLS = {"helm": "v4.2.3", "kustomize": "v5.8.1"}
CONTAINER = "spec.template.spec.containers[name=api]"


def report(*outcomes: Outcome, compared: Compared = MERGE, not_rendered: tuple[NotRendered, ...] = ()) -> Report:
    return build_report(
        outcomes,
        compared=compared,
        not_rendered=not_rendered,
        notes=["Kubernetes version 1.36, from .gitops-bot.yaml"],
        tools=TOOLS,
    )


def outcome(
    name: str, *changes: ResourceChange, status: Status = "changed", reaches: str = "", warnings: tuple[str, ...] = ()
) -> Outcome:
    rendered = status not in ("failed", "skipped") and not (status == "unchanged" and not changes)
    return Outcome(
        id=f"argocd/{name}/application.yaml#{name}",
        name=name,
        file=f"argocd/{name}/application.yaml",
        kind="Application",
        path="k8s/helm/churn-mlops",
        namespace=name,
        status=status,
        plan=f"sha256:{'0f' * 32}" if rendered else None,
        plan_reason=None if rendered else "not rendered",
        reaches=reaches,
        changes=TargetChanges(changes=changes, unchanged=4, warnings=warnings) if rendered else None,
    )


def unaffected(number: int) -> list[Outcome]:
    return [outcome(f"other-{index:03}", status="unchanged") for index in range(number)]


def deployment(namespace: str, name: str = "churn-api", to: str = "sha-abc1234") -> ResourceChange:
    image = "ghcr.io/acme/churn-api:"
    return ResourceChange(
        action="changed",
        bucket="changed",
        key=ResourceKey("apps", "Deployment", namespace, name),
        api_version="apps/v1",
        fields=(
            FieldChange(path="spec.replicas", before=2, after=3),
            FieldChange(path=f"{CONTAINER}.image", before=f"{image}sha-0a1b2c3", after=f"{image}{to}"),
        ),
        images=((f"{CONTAINER}.image", f"{image}sha-0a1b2c3", f"{image}{to}"),),
        diff=(
            f"@@ -4,7 +4,7 @@\n   name: {name}\n   namespace: {namespace}\n spec:\n-  replicas: 2\n+  replicas: 3\n"
            "   selector:\n     matchLabels:\n       app: churn-api\n"
            "@@ -15,7 +15,7 @@\n     spec:\n       containers:\n"
            f"-      - image: {image}sha-0a1b2c3\n+      - image: {image}{to}\n         name: api\n"
        ),
    )


def whole(action: str, group: str, kind: str, namespace: str, name: str, **more: object) -> ResourceChange:
    sign = {"added": "+", "removed": "-"}[action]
    place = f"  namespace: {namespace}\n" if namespace else ""
    text = f"apiVersion: v1\nkind: {kind}\nmetadata:\n  name: {name}\n{place}"
    return ResourceChange(
        action=action,
        bucket=action,
        key=ResourceKey(group, kind, namespace, name),
        api_version=f"{group}/v1".removeprefix("/"),
        diff="@@ -1,5 +0,0 @@\n" + "".join(f"{sign}{line}\n" for line in text.splitlines()),
        **more,
    )


def noise(namespace: str, name: str = "grafana") -> ResourceChange:
    return ResourceChange(
        action="changed",
        bucket="noise",
        key=ResourceKey("", "ConfigMap", namespace, name),
        api_version="v1",
        noise=(
            FieldChange(path="metadata.annotations[checksum/config]", before="<checksum>", after="<checksum, changed>"),
            FieldChange(path="metadata.labels[helm.sh/chart]", before="grafana-8.1.0", after="grafana-8.2.0"),
        ),
    )


def ignored(namespace: str) -> ResourceChange:
    return ResourceChange(
        action="changed",
        bucket="ignored",
        key=ResourceKey("apps", "Deployment", namespace, "churn-api"),
        api_version="apps/v1",
        hidden=1,
    )


def simple() -> Report:
    return report(outcome("churn-mlops-staging", deployment("churn-mlops-staging")), *unaffected(3))


def forty_apps() -> Report:
    return report(*(outcome(f"shop-{n:02}", deployment(f"shop-{n:02}", "web")) for n in range(40)), *unaffected(203))


def removals() -> Report:
    space = "churn-mlops-staging"
    return report(
        outcome(
            space,
            whole("removed", "", "PersistentVolumeClaim", space, "training-data"),
            whole("removed", "", "Namespace", "", space),
            whole("removed", "", "ConfigMap", space, "settings"),
            whole("added", "", "Service", space, "churn-api"),
        )
    )


def one_side_failed() -> Report:
    reason = (
        "head: helm template failed: k8s/helm/churn-mlops/templates/deployment.yaml:12: "
        ".Values.model.path is nil; set model.path in values-staging.yaml"
    )
    return report(
        outcome("churn-mlops-staging", status="failed"),
        outcome("churn-mlops-development", deployment("churn-mlops-development")),
        outcome("vault-secrets", status="skipped"),
        not_rendered=(
            NotRendered(id="argocd/churn-mlops-staging/application.yaml#churn-mlops-staging", reason=reason),
            NotRendered(
                id="argocd/vault-secrets/application.yaml#vault-secrets",
                reason="uses the plugin ksops, which is never run here",
                failed=False,
            ),
        ),
    )


def secret() -> Report:
    space = "churn-mlops-staging"
    change = ResourceChange(
        action="changed",
        bucket="changed",
        key=ResourceKey("", "Secret", space, "database"),
        api_version="v1",
        fields=(FieldChange(path="data.password", before="<secret>", after="<secret, changed>"),),
        diff="@@ -1,5 +1,5 @@\n apiVersion: v1\n data:\n"
        "-  password: <secret>\n+  password: <secret, changed>\n kind: Secret\n",
    )
    return report(outcome(space, change))


def hook() -> Report:
    space = "churn-mlops-staging"
    return report(outcome(space, whole("added", "batch", "Job", space, "migrate", hook="PreSync")))


def rename() -> Report:
    space = "churn-mlops-staging"
    change = ResourceChange(
        action="changed",
        bucket="changed",
        key=ResourceKey("", "ConfigMap", space, "settings-6h2f9"),
        renamed_from=ResourceKey("", "ConfigMap", space, "settings-9k1m2"),
        api_version="v1",
        fields=(
            FieldChange(path="data.LOG_LEVEL", before="info", after="debug"),
            FieldChange(path="metadata.name", before="settings-9k1m2", after="settings-6h2f9"),
        ),
        diff=(
            "@@ -1,7 +1,7 @@\n apiVersion: v1\n data:\n-  LOG_LEVEL: info\n+  LOG_LEVEL: debug\n kind: ConfigMap\n"
            " metadata:\n"
            f"-  name: settings-9k1m2\n+  name: settings-6h2f9\n   namespace: {space}\n"
        ),
    )
    return report(outcome(space, change))


def only_noise() -> Report:
    return report(*(outcome(f"shop-{n:02}", noise(f"shop-{n:02}")) for n in range(3)), outcome("eu", ignored("eu")))


def nothing() -> Report:
    return report(*unaffected(243))


def conflict() -> Report:
    compared = Compared(
        base=BASE, head=HEAD, base_branch="main", how="conflict", conflicts=("values.yaml", "charts/web/Chart.yaml")
    )
    return report(outcome("churn-mlops-staging", deployment("churn-mlops-staging")), compared=compared)


def later() -> Report:
    return report(
        outcome("churn-mlops-staging", deployment("churn-mlops-staging")),
        outcome("churn-mlops-production", deployment("churn-mlops-production"), reaches="v*.*.*"),
    )


HOSTILE = (
    "a`b|c @admin #1 fixes #2 </details><script>alert(1)</script> ![x](https://evil.example/p.png)"
    "\n\n# big\r\x1b[2J\u202e"
)


def hostile() -> Report:
    change = ResourceChange(
        action="changed",
        bucket="changed",
        key=ResourceKey("", "ConfigMap", HOSTILE, HOSTILE),
        renamed_from=ResourceKey("", "ConfigMap", HOSTILE, "old" + HOSTILE),
        api_version="v1",
        hook=HOSTILE,
        fields=(FieldChange(path=f"data.{HOSTILE}", before=HOSTILE, after="x"),),
        noise=(FieldChange(path=HOSTILE, before=HOSTILE, after="x"),),
        hidden=1,
        diff="@@ -1,2 +1,4 @@\n data:\n+  a: ````` @admin\n+```\n+</details>\n+  \x1b[31mred\u202e\n",
        images=(("x", f"ghcr.io/{HOSTILE}:1", f"ghcr.io/{HOSTILE}:2\\|"),),
    )
    one = Outcome(
        id=HOSTILE,
        name=HOSTILE,
        file=HOSTILE,
        kind="Directory",
        status="changed",
        plan_reason=HOSTILE,
        moved_from=HOSTILE,
        changes=TargetChanges(
            changes=(change, noise(HOSTILE, HOSTILE), whole("removed", "", "Namespace", "", HOSTILE)),
            warnings=(HOSTILE,),
        ),
    )
    return build_report(
        [one],
        compared=Compared(base=BASE, head=HEAD, base_branch=HOSTILE, how="conflict", conflicts=(HOSTILE,)),
        not_rendered=[NotRendered(id=HOSTILE, reason=HOSTILE), NotRendered(id=HOSTILE, reason=HOSTILE, failed=False)],
        notes=[HOSTILE],
        tools={HOSTILE: HOSTILE},
    )


def signal(id_: str, change: ResourceChange, message: str, path: str = "", **more: object) -> Signal:
    key = change.key
    return Signal(
        id=id_,
        message=message,
        path=path,
        group=key.group,
        kind=key.kind,
        namespace=key.namespace,
        name=key.name,
        **{"severity": CATALOGUE[id_].severity, **more},
    )


def raising(change: ResourceChange, *signals: tuple[str, str, str]) -> ResourceChange:
    found = tuple(signal(id_, change, message, path) for id_, message, path in signals)
    return msgspec.structs.replace(change, signals=found)


def risks() -> Report:
    """Errors, warnings and something silenced, at once and later."""
    staging, production = "churn-mlops-staging", "churn-mlops-production"
    claim = whole("removed", "", "PersistentVolumeClaim", staging, "training-data")
    latest = ("image-latest", "container api: ghcr.io/acme/churn-api has the tag latest", f"{CONTAINER}.image")
    outcomes = (
        outcome(
            staging,
            raising(claim, ("data-deletion", "The volume claim is deleted, and the data on its volume may be", "")),
            raising(deployment(staging), ("selector-change", "The selector cannot be changed: app", "spec.selector")),
            raising(
                whole("added", "apps", "DaemonSet", staging, "log-shipper"), ("host-path", "volume logs: /var/log", "")
            ),
        ),
        outcome(production, raising(deployment(production, to="latest"), latest), reaches="v*.*.*"),
        outcome("dev-nightly", raising(deployment("dev-nightly", to="latest"), latest)),
    )
    return build_report(
        outcomes,
        compared=MERGE,
        notes=["Kubernetes version 1.36, from .gitops-bot.yaml"],
        tools=TOOLS,
        silences=[Silence(signal="image-latest", apps=("dev-*",), reason="built nightly")],
    )


CASES: dict[str, Callable[[], Report]] = {
    "simple": simple,
    "forty-apps": forty_apps,
    "removals": removals,
    "one-side-failed": one_side_failed,
    "secret": secret,
    "hook": hook,
    "rename": rename,
    "only-noise": only_noise,
    "nothing": nothing,
    "conflict": conflict,
    "later": later,
    "risks": risks,
    "hostile": hostile,
}
