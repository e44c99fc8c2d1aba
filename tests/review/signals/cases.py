"""Seeded faults: for each signal, changes that raise it and, beside each, a twin that must not.

Objects are written as YAML; ``before`` or ``after`` is empty for an object that is added or removed.
"""

from __future__ import annotations

from typing import NamedTuple

from gitops_bot.manifests import yaml
from gitops_bot.manifests.objects import head_of
from gitops_bot.model.resource import ResourceKey


class Case(NamedTuple):
    id: str
    name: str
    before: str
    after: str
    twin: tuple[str, str]
    says: str
    severity: str


def read(text):
    return yaml.load(text.encode()) if text.strip() else None


def key_of(before, after):
    head = head_of(after or before)
    return ResourceKey(head.group, head.kind, head.namespace, head.name)


def pod(containers="", pod="", kind="Deployment", metadata="", spec=""):
    """A workload with a pod; parts are YAML at their own indentation of zero."""
    group = {"CronJob": "batch/v1", "Job": "batch/v1"}.get(kind, "apps/v1")
    template = (
        f"template:\n  metadata: {{labels: {{app: web}}}}\n  spec:\n{_in(pod, 4)}    containers:\n{_in(containers, 4)}"
    )
    inner = f"jobTemplate:\n  spec:\n{_in(template, 4)}" if kind == "CronJob" else template
    return (
        f"apiVersion: {group}\nkind: {kind}\nmetadata:\n  name: web\n  namespace: shop\n{_in(metadata, 2)}"
        f"spec:\n{_in(spec, 2)}{_in(inner, 2)}"
    )


def _in(text, by):
    return "".join(f"{' ' * by}{line}\n" for line in text.splitlines())


def thing(api_version, kind, rest="", metadata="", name="it"):
    return f"apiVersion: {api_version}\nkind: {kind}\nmetadata:\n  name: {name}\n{_in(metadata, 2)}{rest}"


PLAIN = "- {name: web, image: 'ghcr.io/acme/api:v1.4.0'}"
KEPT = "annotations: {argocd.argoproj.io/sync-options: 'Prune=false,Validate=false'}"
FORCED = "annotations: {argocd.argoproj.io/sync-options: 'Replace=true,Force=true'}"
HOOK = "annotations: {helm.sh/hook: pre-upgrade}"
NAMESPACE = thing("v1", "Namespace")
CRD = thing(
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    "spec: {group: a.org, scope: Namespaced, names: {kind: A, plural: as}, versions: [{name: v1, storage: true}, {name: v1beta1, storage: false}]}",
)
CONFIG = thing("v1", "ConfigMap", "data: {a: b}\n")
RBAC = "rbac.authorization.k8s.io/v1"


def claim(spec="resources: {requests: {storage: 10Gi}}", metadata="", name="it"):
    return thing("v1", "PersistentVolumeClaim", f"spec:\n{_in(spec, 2)}", metadata, name)


def stateful(spec="", storage="10Gi", metadata="", labels="{a: b}", more=""):
    claims = (
        f"serviceName: web\nvolumeClaimTemplates:\n- metadata: {{name: data, labels: {labels}}}\n"
        f"  spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: {storage}}}}}{more}}}\n"
    )
    return pod(PLAIN, kind="StatefulSet", metadata=metadata, spec=claims + spec)


def role(rules, kind="ClusterRole", metadata="", more=""):
    return thing(RBAC, kind, f"rules:\n{rules}{more}", metadata)


def binding(role="view", subjects="{kind: ServiceAccount, name: web, namespace: shop}", kind="ClusterRoleBinding"):
    ref = f"roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {role}}}\n"
    return thing(RBAC, kind, f"{ref}subjects: [{subjects}]\n")


def secret(data="", string_data="", more=""):
    return thing("v1", "Secret", f"data: {{{data}}}\nstringData: {{{string_data}}}\n{more}")


def image(reference, name="web"):
    return pod(f"- {{name: {name}, image: '{reference}'}}")


def context(text, name="web"):
    return pod(f"- {{name: {name}, image: 'a:1', securityContext: {{{text}}}}}")


def volume(path, read_only="false"):
    mount = f"- {{name: web, image: 'a:1', volumeMounts: [{{name: v, mountPath: /m, readOnly: {read_only}}}]}}"
    return pod(mount, f"volumes: [{{name: v, hostPath: {{path: {path}}}}}]")


def service(text, metadata=""):
    return thing("v1", "Service", f"spec: {{{text}}}\n", metadata)


def noted(key, value):
    """Metadata with one annotation."""
    return f"annotations: {{{key}: '{value}'}}"


def argo_hook(phases):
    return noted("argocd.argoproj.io/hook", phases)


def argo_options(text):
    return noted("argocd.argoproj.io/sync-options", text)


BECOME_HOOKS = [
    Case("data-deletion", f"{name} that becomes a hook: {why}", before, after, twin, says, severity)
    for name, why, before, after, twin, says, severity in [
        ("claim", "PreSync", claim(), claim(metadata=argo_hook("PreSync")), (claim(metadata=argo_hook("Sync")), claim(metadata=argo_hook("PreSync"))), "hook (PreSync)", "error"),
        ("claim", "PostDelete", claim(), claim(metadata=argo_hook("PostDelete")), (claim(metadata=argo_hook("PostDelete")), claim(metadata=argo_hook("PostDelete, PreDelete"))), "hook (PostDelete)", "error"),
        ("claim", "Helm's", claim(), claim(metadata=noted("helm.sh/hook", "pre-install")), (claim(), claim(metadata=noted("helm.sh/hook", "crd-install"))), "hook (pre-install)", "error"),
        ("kept claim", "PreSync", claim(metadata=KEPT), claim(metadata=KEPT.replace("{", "{argocd.argoproj.io/hook: PreSync, ")), (claim(metadata=KEPT), claim(metadata=KEPT.replace("{", "{argocd.argoproj.io/hook: PostDelete, "))), "volume claim is deleted", "error"),
        ("namespace", "Sync", NAMESPACE, thing("v1", "Namespace", metadata=argo_hook("Sync")), (NAMESPACE, thing("v1", "Namespace", metadata="annotations: {argocd.argoproj.io/hook: ''}")), "everything in it", "error"),
        ("stateful set", "PostSync", stateful(), stateful(metadata=argo_hook("PostSync")), (pod(PLAIN, kind="StatefulSet"), pod(PLAIN, kind="StatefulSet", metadata=argo_hook("PostSync"))), "(data) stay behind", "error"),
    ]
] + [
    Case("deletion", "job that becomes a hook", pod(PLAIN, kind="Job"), pod(PLAIN, kind="Job", metadata=HOOK), (pod(PLAIN, kind="Job", metadata=HOOK), pod(PLAIN, kind="Job")), "The Job is deleted: it becomes a hook", "info"),
    Case("deletion", "service that becomes a hook", thing("v1", "Service"), thing("v1", "Service", metadata=argo_hook("PreSync")), (thing("v1", "Service"), thing("v1", "Service", metadata=noted("a", "b"))), "The Service is deleted: it becomes a hook", "warning"),
]  # fmt: skip
TAKES_CLAIMS = "persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete}"
CREATED_ANEW = [
    Case("data-deletion", "claim that is created anew from now on", claim(), claim(metadata=FORCED), (claim(), claim(metadata=argo_options("Replace=true"))), "Replace=true,Force=true", "error"),
    Case("data-deletion", "claim that is created anew with each change", claim(metadata=FORCED), claim("resources: {requests: {storage: 11Gi}}", FORCED), (claim(metadata=argo_options("Force=true")), claim("resources: {requests: {storage: 11Gi}}", argo_options("Force=true"))), "created anew", "error"),
    Case("data-deletion", "claim that is created anew once more", claim(metadata=argo_options("Force=true, Replace=true")), claim(), (claim(metadata=argo_options("Replace=true")), claim()), "created anew", "error"),
    Case("data-deletion", "stateful set that is created anew, with its claims", stateful(TAKES_CLAIMS, metadata=FORCED), stateful(TAKES_CLAIMS + "\nreplicas: 3", metadata=FORCED), (pod(PLAIN, kind="StatefulSet", metadata=FORCED), pod(PLAIN, kind="StatefulSet", metadata=FORCED, spec="replicas: 3")), "(data) with it", "error"),
    Case("data-deletion", "stateful set that is created anew", stateful(), stateful(metadata=FORCED), (stateful(), stateful(metadata=argo_options("Force=true"))), "(data) stay", "warning"),
    Case("data-deletion", "volume that will go with its claim", thing("v1", "PersistentVolume", "spec: {persistentVolumeReclaimPolicy: Retain}\n"), thing("v1", "PersistentVolume", "spec: {persistentVolumeReclaimPolicy: Delete}\n"), (thing("v1", "PersistentVolume", "spec: {persistentVolumeReclaimPolicy: Delete}\n"), thing("v1", "PersistentVolume", "spec: {persistentVolumeReclaimPolicy: Retain}\n")), "Retain → Delete", "warning"),
    Case("data-deletion", "volume whose policy was the default", thing("v1", "PersistentVolume", "spec: {storageClassName: a}\n"), thing("v1", "PersistentVolume", "spec: {storageClassName: a, persistentVolumeReclaimPolicy: Delete}\n"), (thing("v1", "PersistentVolume", "spec: {storageClassName: a}\n"), thing("v1", "PersistentVolume", "spec: {storageClassName: a, persistentVolumeReclaimPolicy: Retain}\n")), "Retain → Delete", "warning"),
    Case("data-deletion", "stateful set that will take its claims along", stateful(), stateful(TAKES_CLAIMS), (stateful(TAKES_CLAIMS), stateful("persistentVolumeClaimRetentionPolicy: {whenDeleted: Retain}")), "whenDeleted: Delete", "warning"),
    Case("data-deletion", "stateful set that drops claims as it shrinks", stateful(), stateful("persistentVolumeClaimRetentionPolicy: {whenScaled: Delete}"), (pod(PLAIN, kind="StatefulSet"), pod(PLAIN, kind="StatefulSet", spec="persistentVolumeClaimRetentionPolicy: {whenScaled: Delete}")), "whenScaled: Delete", "warning"),
]  # fmt: skip


def definition(versions):
    names = "names: {kind: A, plural: as}"
    return thing("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"spec: {{group: a.org, scope: Namespaced, {names}, versions: [{versions}]}}\n")  # fmt: skip


V1 = "{name: v1, served: true, storage: true}"
BETA = "{name: v1beta1, served: true, storage: false}"
CLOSED = BETA.replace("served: true", "served: false")
SERVED = [
    Case("removed-api", "a definition's version is served no more", definition(f"{V1}, {BETA}"), definition(f"{V1}, {CLOSED}"), (definition(f"{V1}, {BETA}"), definition(f"{BETA}, {V1}")), "v1beta1", "warning"),
    Case("removed-api", "a definition's version is gone", definition(f"{V1}, {BETA}"), definition(V1), (definition(f"{V1}, {CLOSED}"), definition(V1)), "v1beta1", "warning"),
    Case("removed-api", "a definition serves nothing any more", definition(V1), definition(V1.replace("served: true", "served: false")), (definition(V1), definition(f"{V1}, {BETA}")), "no version", "error"),
]  # fmt: skip


def labelled(labels, selector="{matchLabels: {app: web}}", kind="Deployment"):
    return thing("apps/v1", kind, f"spec: {{selector: {selector}, template: {{metadata: {{labels: {labels}}}, spec: {{containers: [{PLAIN[2:]}]}}}}}}\n")  # fmt: skip


AMONG = "{matchExpressions: [{key: app, operator: In, values: [web, api]}, {key: old, operator: DoesNotExist}]}"
LABELS = [
    Case("selector-change", "pods leave an unchanged selector", labelled("{app: web}"), labelled("{app: web2}"), (labelled("{app: web}"), labelled("{app: web, tier: front}")), "no longer match the selector: app", "error"),
    Case("selector-change", "pods lose their labels", labelled("{app: web}", kind="StatefulSet"), labelled("null", kind="StatefulSet"), (labelled("{app: web2}"), labelled("{app: web3}")), "no longer match the selector: app", "error"),
    Case("selector-change", "pods leave an expression", labelled("{app: api}", AMONG), labelled("{app: db}", AMONG), (labelled("{app: api}", AMONG), labelled("{app: web}", AMONG)), "no longer match the selector: app", "error"),
    Case("selector-change", "pods get a label that the selector excludes", labelled("{app: api}", AMONG), labelled("{app: api, old: ''}", AMONG), (labelled("{app: api}", AMONG), labelled("{app: api, new: ''}", AMONG)), "no longer match the selector: old", "error"),
]  # fmt: skip


def ports(text, host=""):
    return pod(f"- {{name: web, image: 'a:1', ports: [{text}]}}", host)


def podded(key, value):
    """A Deployment whose pods have one annotation."""
    return pod(PLAIN).replace("labels: {app: web}}", f"labels: {{app: web}}, annotations: {{{key}: {value}}}}}")


ARMOR = "container.apparmor.security.beta.kubernetes.io/web"
SECCOMP = "seccomp.security.alpha.kubernetes.io/pod"
RIGHTS = [
    Case("privileged", "port of the node", ports("{containerPort: 80}"), ports("{containerPort: 80, hostPort: 8080}"), (ports("{containerPort: 80, hostPort: 80}"), ports("{name: http, containerPort: 80, hostPort: 80, protocol: TCP}")), "the port 8080 of its node", "warning"),
    Case("privileged", "UDP port of the node", ports("{containerPort: 53, hostPort: 53}"), ports("{containerPort: 53, hostPort: 53}, {containerPort: 53, hostPort: 53, protocol: UDP}"), (ports("{containerPort: 53}", "hostNetwork: true"), ports("{containerPort: 53, hostPort: 53}", "hostNetwork: true")), "53/UDP", "warning"),
    Case("privileged", "no AppArmor, by annotation", pod(PLAIN), podded(ARMOR, "unconfined"), (podded(ARMOR, "unconfined"), podded(ARMOR, "unconfined").replace("v1.4.0", "v1.4.1")), "AppArmor", "warning"),
    Case("privileged", "no AppArmor for one more container", podded(ARMOR, "runtime/default"), podded(ARMOR, "unconfined"), (podded(ARMOR, "unconfined"), podded(ARMOR, "runtime/default")), "AppArmor", "warning"),
    Case("privileged", "no AppArmor", context("privileged: false"), context("appArmorProfile: {type: Unconfined}"), (context("privileged: false"), context("appArmorProfile: {type: RuntimeDefault}")), "AppArmor", "warning"),
    Case("privileged", "no seccomp, by annotation", pod(PLAIN), podded(SECCOMP, "unconfined"), (pod(PLAIN), podded(SECCOMP, "runtime/default")), "seccomp", "warning"),
]  # fmt: skip


def workflow(text, kind="WorkflowTemplate", spec=""):
    inner = f"templates: [{{name: t, {text}}}]{spec}"
    return thing("argoproj.io/v1alpha1", kind, f"spec: {{{f'workflowSpec: {{{inner}}}' if kind == 'CronWorkflow' else inner}}}\n")  # fmt: skip


MAIN = "container: {image: 'a:1'}"
FREE = "container: {image: 'a:1', securityContext: {privileged: true}}"
WORKFLOWS = [
    Case("privileged", "workflow template's container", workflow(MAIN), workflow(FREE), (workflow(FREE), workflow(f"metadata: {{labels: {{a: b}}}}, {FREE}")), "container main becomes privileged", "warning"),
    Case("privileged", "new cron workflow", "", workflow(FREE, "CronWorkflow"), ("", workflow(MAIN, "CronWorkflow")), "container main becomes privileged", "warning"),
    Case("privileged", "workflow's script", workflow("script: {image: 'a:1', source: x}", "Workflow"), workflow("script: {image: 'a:1', source: x, securityContext: {privileged: true}}", "Workflow"), (workflow("script: {image: 'a:1', source: x}", "Workflow"), workflow("script: {image: 'a:1', source: y}", "Workflow")), "becomes privileged", "warning"),
    Case("privileged", "workflow's sidecar", workflow(MAIN), workflow(MAIN + ", sidecars: [{name: s, image: 'a:1', securityContext: {privileged: true}}]"), (workflow(MAIN), workflow(MAIN + ", sidecars: [{name: s, image: 'a:1'}]")), "container s becomes privileged", "warning"),
    Case("privileged", "workflow in the node's network", workflow(MAIN), workflow(MAIN, spec=", hostNetwork: true"), (workflow(MAIN, spec=", hostNetwork: true"), workflow(MAIN, spec=", hostNetwork: true, parallelism: 2")), "hostNetwork", "warning"),
    Case("privileged", "template inside a step", workflow("steps: []"), workflow(f"steps: [[{{name: s, inline: {{{FREE}}}}}]]"), (workflow("steps: []"), workflow(f"steps: [[{{name: s, inline: {{{MAIN}}}}}]]")), "becomes privileged", "warning"),
    Case("host-path", "workflow's volume", workflow(MAIN), workflow(MAIN, spec=", volumes: [{name: v, hostPath: {path: /var/run}}]"), (workflow(MAIN), workflow(MAIN, spec=", volumes: [{name: v, emptyDir: {}}]")), "/var/run", "warning"),
    Case("image-latest", "workflow's image", workflow(MAIN), workflow("container: {image: a}"), (workflow(MAIN), workflow("container: {image: 'a:2'}")), "a has no tag", "warning"),
]  # fmt: skip


def app(rules="", more="", kind="Application"):
    spec = f"spec: {{project: default, ignoreDifferences: [{rules}]{more}}}\n"
    if kind == "ApplicationSet":
        spec = f"spec: {{template: {{{spec.strip()}}}}}\n"
    return thing("argoproj.io/v1alpha1", kind, spec)


SCALE = "{group: apps, kind: Deployment, jsonPointers: [/spec/replicas]}"
BODY = "{group: apps, kind: Deployment, jsonPointers: [/spec]}"
ONE = "{group: apps, kind: Deployment, name: web, jsonPointers: [/spec/replicas]}"
CONTEXT = "{group: apps, kind: Deployment, jqPathExpressions: ['.spec.template.spec.containers[].securityContext']}"
RESPECT = ", syncPolicy: {syncOptions: [RespectIgnoreDifferences=true]}"
IGNORED = [
    Case("ignore-widened", "a rule for replicas", app(), app(SCALE), (app(SCALE), app(SCALE, ", revisionHistoryLimit: 3")), "/spec/replicas of Deployment.apps", "info"),
    Case("ignore-widened", "a rule for everything", app(SCALE), app(BODY), (app(BODY), app(SCALE)), "/spec of Deployment.apps", "warning"),
    Case("ignore-widened", "a rule for what a pod may do", app(), app(CONTEXT), (app(f"{CONTEXT}, {SCALE}"), app(f"{SCALE}, {CONTEXT}")), "securityContext of Deployment.apps", "warning"),
    Case("ignore-widened", "a rule for more objects", app(ONE), app(SCALE), (app(SCALE), app(ONE)), "/spec/replicas of Deployment.apps", "info"),
    Case("ignore-widened", "a rule for all kinds", app(SCALE), app(SCALE.replace("apps", "'*'").replace("Deployment", "'*'")), (app(SCALE.replace("apps", "'*'").replace("Deployment", "'*'")), app(SCALE)), "/spec/replicas of *.*", "warning"),
    Case("ignore-widened", "a rule for a field manager", app(), app("{kind: ConfigMap, managedFieldsManagers: [kube-controller-manager]}"), (app("{kind: ConfigMap, managedFieldsManagers: [kube-controller-manager]}"), app("{kind: ConfigMap, name: a, managedFieldsManagers: [kube-controller-manager]}")), "kube-controller-manager", "info"),
    Case("ignore-widened", "in an ApplicationSet", app(kind="ApplicationSet"), app(BODY, kind="ApplicationSet"), (app(BODY, kind="ApplicationSet"), app(kind="ApplicationSet")), "/spec of Deployment.apps", "warning"),
    Case("ignore-widened", "in a new Application", "", app(CONTEXT), ("", app()), "securityContext", "warning"),
    Case("ignore-widened", "what is ignored is not applied any more", app(SCALE), app(SCALE, RESPECT), (app("", ""), app("", RESPECT)), "RespectIgnoreDifferences", "info"),
]  # fmt: skip


def probed(probes, name="web"):
    return pod(f"- {{name: {name}, image: 'a:1'{probes}}}")


READY = ", readinessProbe: {httpGet: {path: /ready, port: 8080}}"
ALIVE = ", livenessProbe: {httpGet: {path: /live, port: 8080}}"
PROBES = [
    Case("probe-lost", "readiness", probed(READY + ALIVE), probed(ALIVE), (probed(READY + ALIVE), probed(READY.replace("httpGet: {path: /ready, port: 8080}", "tcpSocket: {port: 1}") + ALIVE)), "container web has no readinessProbe any more", "warning"),
    Case("probe-lost", "liveness", probed(READY + ALIVE), probed(READY), (probed(READY), probed(READY + ALIVE)), "no livenessProbe", "warning"),
    Case("probe-lost", "null", probed(READY), probed(", readinessProbe: null"), (probed(", readinessProbe: null"), probed("")), "no readinessProbe", "warning"),
    Case("probe-lost", "in a container that is renamed", probed(READY), probed("", name="api"), ("", probed("")), "container api has no", "warning"),
    Case("probe-lost", "in a custom resource", workflow("container: {image: 'a:1', livenessProbe: {exec: {command: [x]}}}"), workflow(MAIN), (workflow(MAIN), workflow(MAIN.replace("a:1", "a:2"))), "container main has no", "warning"),
]  # fmt: skip


ELSEWHERE = [
    Case("image-moved", "another registry", image("ghcr.io/acme/api:v1"), image("evil.example/acme/api:v1"), (image("ghcr.io/acme/api:v1"), image(f"ghcr.io/acme/api@sha256:{'a' * 64}")), "ghcr.io/acme/api → evil.example/acme/api", "warning"),
    Case("image-moved", "another repository", image("ghcr.io/acme/api:v1"), image("ghcr.io/acme/api-debug:v1"), (image("ghcr.io/acme/api:v1"), image("ghcr.io/acme/api-debug:v1", name="debug")), "api → ghcr.io/acme/api-debug", "warning"),
    Case("image-moved", "another port of a registry", image("registry:5000/api:v1"), image("registry:5001/api:v1"), (image("docker.io/library/nginx:1"), image("nginx:1")), "registry:5001/api", "warning"),
    Case("image-moved", "from Docker Hub", image("bitnami/redis:7"), image("bitnamilegacy/redis:7"), ("", image("bitnamilegacy/redis:7")), "bitnamilegacy/redis", "warning"),
    Case("image-moved", "in a workflow", workflow(MAIN), workflow("container: {image: 'b:1'}"), (workflow(MAIN), workflow("container: {image: 'docker.io/a:1'}")), "a → b", "warning"),
]  # fmt: skip
BALANCED = service("type: LoadBalancer, ports: [{port: 80}]")
RANGES = service("type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0/8], ports: [{port: 80}]")
EXPOSED = [
    Case("service-exposed", "load balancer", service("ports: [{port: 80}]"), BALANCED, (BALANCED, BALANCED.replace("80", "81")), "type ClusterIP → LoadBalancer", "warning"),
    Case("service-exposed", "node port", service("type: ClusterIP"), service("type: NodePort"), (service("type: LoadBalancer"), service("type: NodePort")), "type ClusterIP → NodePort", "warning"),
    Case("service-exposed", "from node port to load balancer", service("type: NodePort"), service("type: LoadBalancer"), (service("type: NodePort"), service("type: ClusterIP")), "type NodePort → LoadBalancer", "warning"),
    Case("service-exposed", "new load balancer", "", BALANCED, ("", service("type: ClusterIP")), "new and a LoadBalancer", "warning"),
    Case("service-exposed", "no ranges any more", RANGES, BALANCED, (BALANCED, RANGES), "everybody may connect", "warning"),
    Case("service-exposed", "external addresses", service("externalIPs: [192.0.2.1]"), service("externalIPs: [192.0.2.1, 192.0.2.2]"), (service("externalIPs: [192.0.2.1, 192.0.2.2]"), service("externalIPs: [192.0.2.2]")), "externalIPs 192.0.2.2", "warning"),
]  # fmt: skip
READ_PODS = "- {apiGroups: [''], resources: [pods, services], verbs: [get, list]}\n"
CASES = [
    # -- data-deletion and deletion
    Case(
        "data-deletion",
        "namespace",
        NAMESPACE,
        "",
        (thing("v1", "Namespace", metadata=KEPT), ""),
        "everything in it",
        "error",
    ),
    Case("data-deletion", "definition", CRD, "", (CRD, CRD + "\n"), "every object of its kind", "error"),
    Case("data-deletion", "claim", claim(), "", (claim(metadata=KEPT), ""), "volume claim is deleted", "error"),
    Case(
        "data-deletion",
        "claim under another name",
        claim(),
        claim(name="other"),
        (claim(), claim("resources: {requests: {storage: 11Gi}}")),
        "it comes back as other, empty",
        "error",
    ),
    Case(
        "data-deletion",
        "claim that Helm would keep",
        claim(metadata="annotations: {helm.sh/resource-policy: keep}"),
        "",
        (claim(metadata=HOOK), ""),
        "Argo CD does not",
        "warning",
    ),
    Case(
        "data-deletion",
        "claim, once confirmed",
        claim(metadata="annotations: {argocd.argoproj.io/sync-options: Prune=confirm}"),
        "",
        (claim(metadata="annotations: {kustomize.toolkit.fluxcd.io/prune: disabled}"), ""),
        "once somebody confirms",
        "warning",
    ),
    Case(
        "data-deletion",
        "stateful set with claims",
        stateful(),
        "",
        (pod(PLAIN, kind="StatefulSet"), ""),
        "(data) stay behind",
        "error",
    ),
    Case(
        "data-deletion",
        "stateful set that takes its claims along",
        stateful("persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete}"),
        "",
        (stateful(metadata=KEPT), ""),
        "(data) with it",
        "error",
    ),
    Case(
        "data-deletion",
        "volume",
        thing("v1", "PersistentVolume", "spec: {hostPath: {path: /a}}"),
        "",
        (thing("v1", "PersistentVolume", metadata=KEPT), ""),
        "volume is deleted",
        "error",
    ),
    Case(
        "data-deletion",
        "volume that keeps its data",
        thing("v1", "PersistentVolume", "spec: {persistentVolumeReclaimPolicy: Retain}"),
        "",
        (CONFIG, ""),
        "reclaim policy Retain",
        "warning",
    ),
    Case(
        "data-deletion",
        "claim created anew by force",
        claim("storageClassName: slow", FORCED),
        claim("storageClassName: fast", FORCED),
        (claim("storageClassName: slow"), claim("storageClassName: fast")),
        "spec.storageClassName changes",
        "error",
    ),
    *BECOME_HOOKS,
    *CREATED_ANEW,
    Case(
        "deletion",
        "config map",
        CONFIG,
        "",
        (thing("v1", "ConfigMap", metadata=KEPT), ""),
        "The ConfigMap is deleted",
        "warning",
    ),
    Case(
        "deletion",
        "deployment",
        pod(PLAIN),
        "",
        (pod(PLAIN, metadata="annotations: {argocd.argoproj.io/hook: Sync}"), ""),
        "The Deployment is deleted",
        "warning",
    ),
    Case(
        "deletion",
        "stateful set without claims",
        pod(PLAIN, kind="StatefulSet"),
        "",
        (stateful(), ""),
        "The StatefulSet is deleted",
        "warning",
    ),
    Case(
        "deletion", "role", role(" []\n"), "", (role(" []\n", metadata=KEPT), ""), "The ClusterRole is deleted", "info"
    ),
    Case(
        "deletion",
        "job",
        pod(PLAIN, kind="Job"),
        "",
        (pod(PLAIN, kind="Job", metadata=HOOK), ""),
        "The Job is deleted",
        "info",
    ),
    Case(
        "deletion",
        "service under another name",
        thing("v1", "Service", "spec: {}", name="a"),
        thing("v1", "Service", "spec: {}", name="b"),
        (
            thing("v1", "ConfigMap", "data: {a: b}", name="c-52kh8mk9ct"),
            thing("v1", "ConfigMap", "data: {a: c}", name="c-g4hk9g2ff8"),
        ),
        "comes back as b",
        "warning",
    ),
    # -- immutable-field
    Case(
        "immutable-field",
        "claim template grows",
        stateful(),
        stateful(storage="20Gi"),
        (stateful(), stateful(storage="10240Mi")),
        "[name=data] storage 10Gi → 20Gi",
        "error",
    ),
    Case(
        "immutable-field",
        "claim template shrinks",
        stateful(),
        stateful(storage="5Gi"),
        (stateful(), stateful(more=", volumeMode: Filesystem")),
        "storage 10Gi → 5Gi",
        "error",
    ),
    Case(
        "immutable-field",
        "claim template's labels",
        stateful(labels="{chart: a-1.0.0}"),
        stateful(labels="{chart: a-1.1.0}"),
        (stateful(metadata="labels: {chart: a-1.0.0}"), stateful(metadata="labels: {chart: a-1.1.0}")),
        "changes its labels (chart)",
        "error",
    ),
    Case(
        "immutable-field",
        "claim template added",
        pod(PLAIN, kind="StatefulSet"),
        stateful(),
        (pod(PLAIN, kind="StatefulSet"), pod(PLAIN, kind="StatefulSet", spec="volumeClaimTemplates: []")),
        "data is added",
        "error",
    ),
    Case(
        "immutable-field",
        "service name",
        stateful(),
        stateful().replace("serviceName: web", "serviceName: db"),
        (
            stateful(),
            stateful(
                "replicas: 3\nminReadySeconds: 5\nupdateStrategy: {type: OnDelete}\nordinals: {start: 1}\nrevisionHistoryLimit: 3\npodManagementPolicy: OrderedReady\npersistentVolumeClaimRetentionPolicy: {whenScaled: Delete}"
            ),
        ),
        "serviceName web → db",
        "error",
    ),
    Case(
        "immutable-field",
        "pod management",
        stateful(),
        stateful("podManagementPolicy: Parallel"),
        (stateful(metadata=FORCED), stateful("podManagementPolicy: Parallel", metadata=FORCED)),
        "OrderedReady → Parallel",
        "error",
    ),
    Case(
        "immutable-field",
        "job's template",
        pod(PLAIN, kind="Job"),
        pod(PLAIN.replace("v1.4.0", "v1.5.0"), kind="Job"),
        (pod(PLAIN, kind="Job", metadata=HOOK), pod(PLAIN.replace("v1.4.0", "v1.5.0"), kind="Job", metadata=HOOK)),
        "spec.template",
        "error",
    ),
    Case(
        "immutable-field",
        "job that removes itself",
        pod(PLAIN, kind="Job", spec="ttlSecondsAfterFinished: 60"),
        pod("- {name: web, image: 'b:1'}", kind="Job", spec="ttlSecondsAfterFinished: 60"),
        (
            pod(PLAIN, kind="Job"),
            pod(PLAIN.replace("}", ", terminationMessagePolicy: File}"), "dnsPolicy: ClusterFirst", kind="Job"),
        ),
        "unless the Job has removed itself",
        "warning",
    ),
    Case(
        "immutable-field",
        "job's completions",
        pod(PLAIN, kind="Job", spec="completions: 2"),
        pod(PLAIN, kind="Job", spec="completions: 3"),
        (
            pod(
                PLAIN,
                kind="Job",
                spec="{completions: 2, parallelism: 2, completionMode: Indexed}".strip("{}").replace(", ", "\n"),
            ),
            pod(PLAIN, kind="Job", spec="completions: 3\nparallelism: 3\ncompletionMode: Indexed"),
        ),
        "completions 2 → 3",
        "error",
    ),
    Case(
        "immutable-field",
        "suspended job's containers",
        pod(PLAIN, kind="Job", spec="suspend: true"),
        pod(PLAIN.replace("v1.4.0", "v2"), kind="Job", spec="suspend: true"),
        (
            pod(PLAIN, kind="Job", spec="suspend: true"),
            pod(PLAIN, "nodeSelector: {gpu: 'yes'}", kind="Job", spec="suspend: true"),
        ),
        "spec.template",
        "error",
    ),
    Case(
        "immutable-field",
        "claim's class",
        claim("storageClassName: slow"),
        claim("storageClassName: fast"),
        (
            claim(),
            claim("resources: {requests: {storage: 20Gi}}\nvolumeAttributesClassName: gold\nvolumeMode: Filesystem"),
        ),
        "slow → fast",
        "error",
    ),
    Case(
        "immutable-field",
        "claim's class, which the cluster chose",
        claim(),
        claim("resources: {requests: {storage: 10Gi}}\nstorageClassName: fast"),
        (claim(), claim("resources: {requests: {storage: 10Gi}}\nstorageClassName: null")),
        "unless the cluster had chosen",
        "warning",
    ),
    Case(
        "immutable-field",
        "claim's access",
        claim("accessModes: [ReadWriteOnce]"),
        claim("accessModes: [ReadWriteMany]"),
        (claim("accessModes: [ReadWriteOnce]", FORCED), claim("accessModes: [ReadWriteMany]", FORCED)),
        "spec.accessModes",
        "error",
    ),
    Case(
        "immutable-field",
        "volume's source",
        thing("v1", "PersistentVolume", "spec: {nfs: {path: /a, server: s}}"),
        thing("v1", "PersistentVolume", "spec: {nfs: {path: /b, server: s}}"),
        (
            thing("v1", "PersistentVolume", "spec: {nfs: {path: /a, server: s}, capacity: {storage: 1Gi}}"),
            thing(
                "v1",
                "PersistentVolume",
                "spec: {nfs: {path: /a, server: s}, capacity: {storage: 2Gi}, nodeAffinity: {required: {}}}",
            ),
        ),
        "spec.nfs",
        "error",
    ),
    Case(
        "immutable-field",
        "service becomes headless",
        service("ports: []"),
        service("clusterIP: None"),
        (service("clusterIP: None"), service("ports: []")),
        "nothing → None",
        "error",
    ),
    Case(
        "immutable-field",
        "cluster IP",
        service("clusterIP: 10.0.0.1"),
        service("clusterIP: 10.0.0.2"),
        (service("clusterIP: 10.0.0.1"), service("type: ExternalName, externalName: a.org")),
        "10.0.0.1 → 10.0.0.2",
        "error",
    ),
    Case(
        "immutable-field",
        "load balancer's class",
        service("type: LoadBalancer"),
        service("type: LoadBalancer, loadBalancerClass: x/y"),
        (service("type: ClusterIP"), service("type: LoadBalancer, loadBalancerClass: x/y")),
        "loadBalancerClass",
        "error",
    ),
    Case(
        "immutable-field",
        "immutable config map",
        thing("v1", "ConfigMap", "immutable: true\ndata: {a: b}"),
        thing("v1", "ConfigMap", "immutable: true\ndata: {a: c}"),
        (CONFIG, thing("v1", "ConfigMap", "immutable: true\ndata: {a: c}")),
        "(a)",
        "error",
    ),
    Case(
        "immutable-field",
        "immutable secret",
        secret("a: Yg==", more="immutable: true"),
        secret("a: Yw==", more="immutable: true"),
        (secret("a: Yg==", more="immutable: true"), secret("", "a: b", more="immutable: true")),
        "(a)",
        "error",
    ),
    Case(
        "immutable-field",
        "no longer immutable",
        thing("v1", "ConfigMap", "immutable: true"),
        thing("v1", "ConfigMap", "immutable: false"),
        (thing("v1", "ConfigMap", "immutable: false"), thing("v1", "ConfigMap", "immutable: true")),
        "cannot be taken back",
        "error",
    ),
    Case(
        "immutable-field",
        "type of a secret",
        secret(),
        secret(more="type: kubernetes.io/tls"),
        (secret(), secret(more="type: Opaque")),
        "Opaque → kubernetes.io/tls",
        "error",
    ),
    Case(
        "immutable-field",
        "storage class",
        thing("storage.k8s.io/v1", "StorageClass", "provisioner: a\nparameters: {type: gp2}"),
        thing("storage.k8s.io/v1", "StorageClass", "provisioner: a\nparameters: {type: gp3}"),
        (
            thing("storage.k8s.io/v1", "StorageClass", "provisioner: a"),
            thing(
                "storage.k8s.io/v1",
                "StorageClass",
                "provisioner: a\nallowVolumeExpansion: true\nreclaimPolicy: Delete\nvolumeBindingMode: Immediate",
            ),
        ),
        "parameters changes",
        "error",
    ),
    Case(
        "immutable-field",
        "role of a binding",
        binding("view"),
        binding("edit"),
        (binding("view"), binding("view", "{kind: User, name: ada}")),
        "ClusterRole view → ClusterRole edit",
        "warning",
    ),
    Case(
        "immutable-field",
        "definition's scope",
        CRD,
        CRD.replace("Namespaced", "Cluster"),
        (CRD, CRD.replace("kind: A,", "kind: A, shortNames: [x],")),
        "Namespaced → Cluster",
        "error",
    ),
    Case(
        "immutable-field",
        "definition loses its stored version",
        CRD,
        CRD.replace("{name: v1, storage: true}, {name: v1beta1, storage: false}", "{name: v1beta1, storage: true}"),
        (CRD, CRD.replace(", {name: v1beta1, storage: false}", "")),
        "loses v1",
        "error",
    ),
    Case(
        "immutable-field",
        "ingress class",
        thing("networking.k8s.io/v1", "IngressClass", "spec: {controller: a/b}"),
        thing("networking.k8s.io/v1", "IngressClass", "spec: {controller: a/c}"),
        (
            thing("networking.k8s.io/v1", "IngressClass", "spec: {controller: a/b}"),
            thing("networking.k8s.io/v1", "IngressClass", "spec: {controller: a/b, parameters: {name: x}}"),
        ),
        "a/b → a/c",
        "error",
    ),
    Case(
        "immutable-field",
        "priority class",
        thing("scheduling.k8s.io/v1", "PriorityClass", "value: 1"),
        thing("scheduling.k8s.io/v1", "PriorityClass", "value: 2"),
        (
            thing("scheduling.k8s.io/v1", "PriorityClass", "value: 1"),
            thing(
                "scheduling.k8s.io/v1",
                "PriorityClass",
                "value: 1\nglobalDefault: true\npreemptionPolicy: PreemptLowerPriority",
            ),
        ),
        "value 1 → 2",
        "error",
    ),
    Case(
        "immutable-field",
        "bare pod",
        thing("v1", "Pod", "spec: {nodeName: a, containers: [{name: a, image: 'a:1'}]}"),
        thing("v1", "Pod", "spec: {nodeName: b, containers: [{name: a, image: 'a:1'}]}"),
        (
            thing("v1", "Pod", "spec: {containers: [{name: a, image: 'a:1'}]}"),
            thing("v1", "Pod", "spec: {activeDeadlineSeconds: 5, containers: [{name: a, image: 'a:2'}]}"),
        ),
        "spec.nodeName",
        "error",
    ),
    # -- selector-change
    Case(
        "selector-change",
        "deployment",
        pod(PLAIN, spec="selector: {matchLabels: {app: web}}"),
        pod(PLAIN, spec="selector: {matchLabels: {app: web, tier: front}}"),
        (
            pod(PLAIN, spec="selector: {matchLabels: {app: web}}"),
            pod(PLAIN, spec="selector: {matchLabels: {app: web}, matchExpressions: []}"),
        ),
        "cannot be changed: tier",
        "error",
    ),
    Case(
        "selector-change",
        "expression",
        pod(PLAIN, kind="DaemonSet", spec="selector: {matchExpressions: [{key: app, operator: In, values: [a]}]}"),
        pod(PLAIN, kind="DaemonSet", spec="selector: {matchExpressions: [{key: app, operator: In, values: [b]}]}"),
        (
            pod(PLAIN, metadata=FORCED, spec="selector: {matchLabels: {app: a}}"),
            pod(PLAIN, metadata=FORCED, spec="selector: {matchLabels: {app: b}}"),
        ),
        "app (expression)",
        "error",
    ),
    Case(
        "selector-change",
        "service",
        service("selector: {app: web}"),
        service("selector: {app: api}"),
        (service("selector: {app: web}"), service("selector: {app: web}, ports: []")),
        "by other labels: app",
        "warning",
    ),
    Case(
        "selector-change",
        "service without",
        service("selector: {app: web}"),
        service("ports: []"),
        (service("ports: []"), service("ports: [], selector: null")),
        "no pods",
        "warning",
    ),
    # -- volume-shrink
    Case(
        "volume-shrink",
        "claim",
        claim(),
        claim("resources: {requests: {storage: 5Gi}}"),
        (claim(), claim("resources: {requests: {storage: 20Gi}}")),
        "10Gi → 5Gi",
        "error",
    ),
    Case(
        "volume-shrink",
        "claim in other units",
        claim(),
        claim("resources: {requests: {storage: 10G}}"),
        (claim("resources: {requests: {storage: 10G}}"), claim()),
        "10Gi → 10G",
        "error",
    ),
    Case(
        "volume-shrink",
        "claim in plain bytes",
        claim(),
        claim("resources: {requests: {storage: 10737418239}}"),
        (claim(), claim("resources: {requests: {storage: 10240Mi}}")),
        "10737418239",
        "error",
    ),
    # -- scaled-to-zero
    Case(
        "scaled-to-zero",
        "deployment",
        pod(PLAIN, spec="replicas: 3"),
        pod(PLAIN, spec="replicas: 0"),
        (pod(PLAIN, spec="replicas: 3"), pod(PLAIN, spec="replicas: 1")),
        "replicas 3 → 0",
        "warning",
    ),
    Case(
        "scaled-to-zero",
        "default",
        pod(PLAIN),
        pod(PLAIN, spec="replicas: 0"),
        ("", pod(PLAIN, spec="replicas: 0")),
        "replicas 1 → 0",
        "warning",
    ),
    Case(
        "scaled-to-zero",
        "custom resource",
        thing("a.org/v1", "Database", "spec: {replicas: 3}"),
        thing("a.org/v1", "Database", "spec: {replicas: 0}"),
        (thing("a.org/v1", "Database", "spec: {}"), thing("a.org/v1", "Database", "spec: {replicas: 0}")),
        "3 → 0",
        "warning",
    ),
    Case(
        "scaled-to-zero",
        "suspended",
        pod(PLAIN, kind="CronJob"),
        pod(PLAIN, kind="CronJob", spec="suspend: true"),
        (
            pod(PLAIN, kind="CronJob", spec="suspend: true"),
            pod(PLAIN, kind="CronJob", spec="suspend: true\nschedule: '@daily'"),
        ),
        "suspended",
        "warning",
    ),
    # -- image-latest
    Case(
        "image-latest",
        "no tag",
        image("a/web:1"),
        image("a/web"),
        (image("a/web"), image("docker.io/a/web:latest")),
        "container web: a/web has no tag",
        "warning",
    ),
    Case(
        "image-latest",
        "latest",
        image("a/web:1"),
        image("a/web:latest"),
        (image("a/web:1"), image("a/web:latest@sha256:" + "0" * 64)),
        "has the tag latest",
        "warning",
    ),
    Case(
        "image-latest",
        "new object",
        "",
        image("host:5000/web"),
        ("", image("host:5000/web:1")),
        "host:5000/web has no tag",
        "warning",
    ),
    Case(
        "image-latest",
        "another image",
        image("a/web"),
        image("b/web"),
        (image("a/web"), image("a/web").replace("name: web, image", "name: front, image")),
        "b/web has no tag",
        "warning",
    ),
    Case(
        "image-latest",
        "init container",
        image("a:1"),
        pod("- {name: web, image: 'a:1'}", "initContainers: [{name: wait, image: busybox}]"),
        (image("a:1"), pod("- {name: web, image: 'a:1'}", "initContainers: [{name: wait, image: 'busybox:1.36'}]")),
        "container wait: busybox",
        "warning",
    ),
    Case(
        "image-latest",
        "cron job",
        pod(PLAIN, kind="CronJob"),
        pod(PLAIN.replace("v1.4.0", "latest"), kind="CronJob"),
        (pod(PLAIN, kind="CronJob"), pod(PLAIN.replace("v1.4.0", "stable"), kind="CronJob")),
        "latest",
        "warning",
    ),
    Case(
        "image-latest",
        "template in a custom resource",
        "",
        thing(
            "kubeflow.org/v1",
            "PyTorchJob",
            "spec: {pytorchReplicaSpecs: {Master: {template: {spec: {containers: [{name: t, image: train}]}}}}}",
        ),
        (
            "",
            thing(
                "kubeflow.org/v1",
                "PyTorchJob",
                "spec: {docs: {example: {spec: {containers: [{name: t, image: train}]}}}}",
            ),
        ),
        "container t: train",
        "warning",
    ),
    Case(
        "image-latest",
        "image volume",
        image("a:1"),
        pod("- {name: web, image: 'a:1'}", "volumes: [{name: model, image: {reference: models/churn}}]"),
        (
            image("a:1"),
            pod("- {name: web, image: 'a:1'}", "volumes: [{name: model, image: {reference: 'models/churn:v3'}}]"),
        ),
        "volume model: models/churn",
        "warning",
    ),
    # -- rbac-widening
    Case(
        "rbac-widening",
        "more to read",
        role(READ_PODS),
        role(READ_PODS + "- {apiGroups: [apps], resources: [deployments], verbs: [get]}\n"),
        (
            role(READ_PODS),
            role(
                "- {apiGroups: [''], resources: [services], verbs: [list, get]}\n- {apiGroups: [''], resources: [pods], verbs: [list]}\n- {apiGroups: [''], resources: [pods], verbs: [get]}\n"
            ),
        ),
        "allows get on deployments.apps",
        "info",
    ),
    Case(
        "rbac-widening",
        "more to do",
        role(READ_PODS),
        role(READ_PODS.replace("[get, list]", "[get, list, delete]")),
        (role(READ_PODS), role(READ_PODS.replace("[get, list]", "[get]"))),
        "delete on pods, services",
        "warning",
    ),
    Case(
        "rbac-widening",
        "secrets",
        role(READ_PODS),
        role(READ_PODS.replace("[pods, services]", "[pods, services, secrets]")),
        (role("- {apiGroups: [''], resources: ['*'], verbs: [get, list]}\n"), role(READ_PODS)),
        "get, list on secrets",
        "warning",
    ),
    Case(
        "rbac-widening",
        "no longer one object only",
        role("- {apiGroups: [''], resources: [configmaps], resourceNames: [a], verbs: [update]}\n"),
        role("- {apiGroups: [''], resources: [configmaps], verbs: [update]}\n"),
        (
            role("- {apiGroups: [''], resources: [configmaps], verbs: [update]}\n"),
            role("- {apiGroups: [''], resources: [configmaps], resourceNames: [a], verbs: [update]}\n"),
        ),
        "update on configmaps",
        "warning",
    ),
    Case(
        "rbac-widening",
        "everything",
        role(READ_PODS),
        role("- {apiGroups: ['*'], resources: ['*'], verbs: ['*']}\n"),
        (role("- {apiGroups: ['*'], resources: ['*'], verbs: ['*']}\n"), role(READ_PODS)),
        "every verb on all resources of all groups",
        "error",
    ),
    Case(
        "rbac-widening",
        "subresource",
        role(READ_PODS),
        role(READ_PODS + "- {apiGroups: [''], resources: [pods/exec], verbs: [create]}\n"),
        (
            role("- {apiGroups: [''], resources: ['*/exec'], verbs: [create]}\n"),
            role("- {apiGroups: [''], resources: [pods/exec], verbs: [create]}\n"),
        ),
        "create on pods/exec",
        "warning",
    ),
    Case(
        "rbac-widening",
        "URL",
        role("- {nonResourceURLs: [/healthz], verbs: [get]}\n"),
        role("- {nonResourceURLs: [/metrics], verbs: [get]}\n"),
        (
            role("- {nonResourceURLs: ['/debug/*'], verbs: [get]}\n"),
            role("- {nonResourceURLs: [/debug/pprof], verbs: [get]}\n"),
        ),
        "the URL /metrics",
        "info",
    ),
    Case(
        "rbac-widening",
        "new role",
        "",
        role(READ_PODS, "Role"),
        ("", role(" []\n", "Role")),
        "allows get, list on pods, services",
        "info",
    ),
    Case(
        "rbac-widening",
        "new role that gains more",
        "",
        role("- {apiGroups: [rbac.authorization.k8s.io], resources: [roles], verbs: [escalate]}\n", "Role"),
        (role("- {apiGroups: [rbac.authorization.k8s.io], resources: [roles], verbs: [escalate]}\n", "Role"), ""),
        "escalate on roles",
        "warning",
    ),
    Case(
        "rbac-widening",
        "aggregation",
        role(READ_PODS),
        role(READ_PODS, more="aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}\n"),
        (role(READ_PODS, more="aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}\n"), role(READ_PODS)),
        "1 new aggregation selector",
        "warning",
    ),
    Case(
        "rbac-widening",
        "aggregated into another",
        role(READ_PODS),
        role(READ_PODS, metadata="labels: {rbac.authorization.k8s.io/aggregate-to-edit: 'true'}"),
        (role(READ_PODS), role(READ_PODS, metadata="labels: {rbac.authorization.k8s.io/aggregate-to-edit: 'false'}")),
        "to the roles edit",
        "info",
    ),
    Case(
        "rbac-widening",
        "subject",
        binding(),
        binding(subjects="{kind: ServiceAccount, name: web, namespace: shop}, {kind: User, name: ada}"),
        (binding(subjects="{kind: User, name: ada}, {kind: ServiceAccount, name: web, namespace: shop}"), binding()),
        "User ada gets ClusterRole view",
        "warning",
    ),
    Case(
        "rbac-widening",
        "new binding",
        "",
        binding(kind="RoleBinding"),
        (binding(kind="RoleBinding"), ""),
        "ServiceAccount shop/web gets ClusterRole view in its namespace",
        "info",
    ),
    Case(
        "rbac-widening",
        "cluster-admin",
        "",
        binding("cluster-admin"),
        ("", binding("cluster-admin", "").replace("subjects: []", "subjects: null")),
        "gets ClusterRole cluster-admin",
        "error",
    ),
    Case(
        "rbac-widening",
        "everybody",
        binding(),
        binding(subjects="{kind: Group, name: 'system:unauthenticated'}"),
        (binding(), binding()),
        "system:unauthenticated",
        "warning",
    ),
    Case(
        "rbac-widening",
        "another role",
        binding("view"),
        binding("edit"),
        (binding("view"), binding("view")),
        "gets ClusterRole edit",
        "warning",
    ),
    # -- privileged
    Case(
        "privileged",
        "privileged",
        context(""),
        context("privileged: true"),
        (context("privileged: true"), context("privileged: true, runAsUser: 5")),
        "becomes privileged",
        "warning",
    ),
    Case(
        "privileged",
        "escalation",
        context("allowPrivilegeEscalation: false"),
        context("allowPrivilegeEscalation: true"),
        (context(""), context("allowPrivilegeEscalation: true")),
        "allowPrivilegeEscalation",
        "warning",
    ),
    Case(
        "privileged",
        "capabilities",
        context("capabilities: {add: [NET_BIND_SERVICE]}"),
        context("capabilities: {add: [SYS_ADMIN, CAP_NET_ADMIN]}"),
        (
            context("capabilities: {add: [SYS_ADMIN]}"),
            context("capabilities: {add: [CAP_SYS_ADMIN, NET_BIND_SERVICE], drop: [ALL]}"),
        ),
        "NET_ADMIN, SYS_ADMIN",
        "warning",
    ),
    Case(
        "privileged",
        "host namespaces",
        pod(PLAIN),
        pod(PLAIN, "hostPID: true"),
        (pod(PLAIN, "hostPID: true"), pod(PLAIN, "hostPID: true\nhostNetwork: false")),
        "node's PID",
        "warning",
    ),
    Case(
        "privileged",
        "root",
        context("runAsNonRoot: true"),
        context("runAsUser: 0"),
        (context("runAsNonRoot: true"), pod("- {name: web, image: 'a:1'}", "securityContext: {runAsNonRoot: true}")),
        "may run as root",
        "warning",
    ),
    Case(
        "privileged",
        "seccomp",
        context("seccompProfile: {type: RuntimeDefault}"),
        context("seccompProfile: {type: Unconfined}"),
        (context(""), context("seccompProfile: {type: RuntimeDefault}")),
        "Unconfined",
        "warning",
    ),
    Case(
        "privileged",
        "namespace",
        thing("v1", "Namespace", metadata="labels: {pod-security.kubernetes.io/enforce: restricted}"),
        thing("v1", "Namespace", metadata="labels: {pod-security.kubernetes.io/enforce: baseline}"),
        (
            thing("v1", "Namespace", metadata="labels: {pod-security.kubernetes.io/enforce: baseline}"),
            thing("v1", "Namespace", metadata="labels: {pod-security.kubernetes.io/enforce: restricted}"),
        ),
        "restricted → baseline",
        "warning",
    ),
    Case(
        "privileged",
        "new container",
        "",
        context("privileged: true", "a"),
        ("", context("privileged: false", "a")),
        "container a becomes privileged",
        "warning",
    ),
    # -- host-path
    Case(
        "host-path",
        "new",
        pod(PLAIN),
        volume("/var/run/docker.sock"),
        (volume("/var/log"), volume("/var/log")),
        "gets /var/run/docker.sock",
        "warning",
    ),
    Case(
        "host-path",
        "wider",
        volume("/var/log/pods"),
        volume("/var"),
        (volume("/var/log"), volume("/var/log/pods/")),
        "gets /var of its node",
        "warning",
    ),
    Case(
        "host-path",
        "to be written",
        volume("/var/log", "true"),
        volume("/var/log"),
        (volume("/var/log"), volume("/var/log", "true")),
        "may now write to /var/log",
        "warning",
    ),
    Case(
        "host-path",
        "read only",
        pod(PLAIN),
        volume("/proc", "true"),
        (pod(PLAIN), pod(PLAIN, "volumes: [{name: v, emptyDir: {}}]")),
        "/proc of its node (read-only)",
        "warning",
    ),
    Case(
        "host-path",
        "persistent volume",
        "",
        thing("v1", "PersistentVolume", "spec: {hostPath: {path: /data}}"),
        ("", thing("v1", "PersistentVolume", "spec: {nfs: {path: /data}}")),
        "/data",
        "warning",
    ),
    # -- plaintext-secret
    Case(
        "plaintext-secret",
        "new",
        "",
        secret("", "password: hunter2"),
        ("", secret("", "password: ''")),
        "the key password",
        "warning",
    ),
    Case(
        "plaintext-secret",
        "key",
        secret("a: aHVudGVyMg=="),
        secret("a: aHVudGVyMg==, b: aHVudGVyMg=="),
        (secret("a: aHVudGVyMg=="), secret("a: aHVudGVyMw==")),
        "the key b",
        "warning",
    ),
    Case(
        "plaintext-secret",
        "value instead of a placeholder",
        secret("", "a: '<path:kv/data/x#y>', b: CHANGE_ME"),
        secret("", "a: hunter2, b: hunter2"),
        (
            "",
            secret(
                "", "a: 'user:<path:kv/data/x#y>@db', b: CHANGE_ME, c: '${PASSWORD}', d: 'ref+vault://x', e: ChangeMe"
            ),
        ),
        "the keys a, b",
        "warning",
    ),
    Case(
        "plaintext-secret",
        "half encrypted",
        "",
        secret("a: 'ENC[AES256_GCM,data:x,type:str]', b: aHVudGVyMg==", more="sops: {version: 3}"),
        ("", secret("a: 'ENC[AES256_GCM,data:x,type:str]'", more="sops: {version: 3}")),
        "the key b",
        "warning",
    ),
    Case(
        "plaintext-secret",
        "private key",
        "",
        secret("", "tls.key: '-----BEGIN PRIVATE KEY----- x'"),
        ("", secret("", "tls.crt: '-----BEGIN CERTIFICATE----- x'")),
        "tls.key",
        "warning",
    ),
    Case(
        "plaintext-secret",
        "sealed",
        "",
        secret("a: aHVudGVyMg=="),
        ("", thing("bitnami.com/v1alpha1", "SealedSecret", "spec: {encryptedData: {a: aHVudGVyMg==}}")),
        "the key a",
        "warning",
    ),
    # -- duplicate-list-key
    Case(
        "duplicate-list-key",
        "env",
        pod("- {name: web, image: 'a:1', env: [{name: A}]}"),
        pod("- {name: web, image: 'a:1', env: [{name: A}, {name: A}]}"),
        (
            pod("- {name: web, image: 'a:1', env: [{name: A}, {name: A}]}"),
            pod("- {name: web, image: 'a:2', env: [{name: A}, {name: A}]}"),
        ),
        "container web: env has A twice: server-side apply refuses it",
        "warning",
    ),
    Case(
        "duplicate-list-key",
        "env with server-side apply",
        "",
        pod(
            "- {name: web, image: 'a:1', env: [{name: A}, {name: A}]}",
            metadata="annotations: {argocd.argoproj.io/sync-options: ServerSideApply=true}",
        ),
        (
            "",
            pod(
                "- {name: web, image: 'a:1', env: [{name: A}, {name: B}]}",
                metadata="annotations: {argocd.argoproj.io/sync-options: ServerSideApply=true}",
            ),
        ),
        "env has A twice",
        "error",
    ),
    Case(
        "duplicate-list-key",
        "container ports",
        "",
        pod("- {name: web, image: 'a:1', ports: [{containerPort: 80}, {containerPort: 80, protocol: TCP}]}"),
        ("", pod("- {name: web, image: 'a:1', ports: [{containerPort: 80}, {containerPort: 80, protocol: UDP}]}")),
        "ports has 80/TCP twice",
        "warning",
    ),
    Case(
        "duplicate-list-key",
        "mounts",
        "",
        pod("- {name: web, image: 'a:1', volumeMounts: [{name: a, mountPath: /a}, {name: b, mountPath: /a}]}"),
        ("", pod("- {name: web, image: 'a:1', volumeMounts: [{name: a, mountPath: /a}, {name: a, mountPath: /b}]}")),
        "volumeMounts has /a twice: refused",
        "error",
    ),
    Case(
        "duplicate-list-key",
        "containers",
        pod(PLAIN),
        pod(PLAIN + "\n" + PLAIN),
        (pod(PLAIN + "\n" + PLAIN), pod(PLAIN + "\n" + PLAIN, "volumes: []")),
        "containers has web twice",
        "error",
    ),
    Case(
        "duplicate-list-key",
        "volumes",
        pod(PLAIN),
        pod(PLAIN, "volumes: [{name: v}, {name: v}, {name: v}]"),
        (pod(PLAIN), pod(PLAIN, "volumes: [{name: v}, {name: w}]")),
        "volumes has v 3 times",
        "error",
    ),
    Case(
        "duplicate-list-key",
        "service ports",
        service("ports: [{port: 80}]"),
        service("ports: [{port: 80}, {port: 80, protocol: TCP}]"),
        (service("ports: [{port: 80}]"), service("ports: [{port: 80}, {port: 80, protocol: UDP}]")),
        "ports has 80/TCP twice",
        "error",
    ),
    # -- major-version
    Case(
        "major-version",
        "image",
        image("a/web:v1.9.3"),
        image("a/web:v2.0.0"),
        (image("a/web:v1.9.3"), image("a/web:v1.10.0")),
        "a/web: v1.9.3 → v2.0.0",
        "warning",
    ),
    Case(
        "major-version",
        "image by digest",
        image("a/web:1.9@sha256:" + "0" * 64),
        image("a/web:2.0@sha256:" + "1" * 64),
        (image("a/web:2024.12.1"), image("a/web:2025.1.0")),
        "1.9 → 2.0",
        "warning",
    ),
    Case(
        "major-version",
        "database",
        image("postgres:15-alpine"),
        image("postgres:16-alpine"),
        (image("a/web:121"), image("a/web:122")),
        "postgres: 15-alpine → 16-alpine",
        "warning",
    ),
    Case(
        "major-version",
        "another registry",
        image("quay.io/a/web:v1.0.0"),
        image("ghcr.io/a/web:v2.0.0"),
        (image("a/web:v2.0.0"), image("a/web:v1.0.0")),
        "v1.0.0 → v2.0.0",
        "warning",
    ),
    Case(
        "major-version",
        "custom resource",
        thing("monitoring.coreos.com/v1", "Prometheus", "spec: {image: 'q/prometheus:v2.55.0'}"),
        thing("monitoring.coreos.com/v1", "Prometheus", "spec: {image: 'q/prometheus:v3.0.0'}"),
        (
            thing("monitoring.coreos.com/v1", "Prometheus", "spec: {image: 'q/prometheus:v2.55.0'}"),
            thing("monitoring.coreos.com/v1", "Prometheus", "spec: {image: 'q/prometheus:v2.56.0'}"),
        ),
        "v2.55.0 → v3.0.0",
        "warning",
    ),
    Case(
        "major-version",
        "application",
        thing(
            "argoproj.io/v1alpha1", "Application", "spec: {sources: [{repoURL: r, chart: loki, targetRevision: 5.1.0}]}"
        ),
        thing(
            "argoproj.io/v1alpha1", "Application", "spec: {sources: [{repoURL: r, chart: loki, targetRevision: 6.0.0}]}"
        ),
        (
            thing("argoproj.io/v1alpha1", "Application", "spec: {source: {path: p, targetRevision: 5.1.0}}"),
            thing("argoproj.io/v1alpha1", "Application", "spec: {source: {path: p, targetRevision: 6.0.0}}"),
        ),
        "chart loki: 5.1.0 → 6.0.0",
        "warning",
    ),
    Case(
        "major-version",
        "helm release",
        thing("helm.toolkit.fluxcd.io/v2", "HelmRelease", "spec: {chart: {spec: {chart: loki, version: 5.1.0}}}"),
        thing("helm.toolkit.fluxcd.io/v2", "HelmRelease", "spec: {chart: {spec: {chart: loki, version: 6.0.0}}}"),
        (
            thing("helm.toolkit.fluxcd.io/v2", "HelmRelease", "spec: {chart: {spec: {chart: loki, version: 5.1.0}}}"),
            thing("helm.toolkit.fluxcd.io/v2", "HelmRelease", "spec: {chart: {spec: {chart: mimir, version: 6.0.0}}}"),
        ),
        "chart loki: 5.1.0 → 6.0.0",
        "warning",
    ),
    *SERVED,
    *LABELS,
    *RIGHTS,
    *WORKFLOWS,
    *IGNORED,
    *PROBES,
    *ELSEWHERE,
    *EXPOSED,
]
