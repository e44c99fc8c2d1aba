"""What the speed benchmark compares, made from nothing: the same bytes on every machine.

    python benchmarks/inputs.py DIRECTORY

writes below DIRECTORY: ``fleet`` (a Git repository of 240 Applications, three branches beside ``main``), ``large`` and
``many`` (Git repositories with one directory of manifests and a branch ``changed``), and both sides of the latter two
as plain files.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

KUSTOMIZATIONS = 216
CHARTS = 24
URL = "https://git.example.org/platform/fleet"
LARGE_LINES = 70_000
MANY_BYTES = 20_000_000
_FILES = 40
_WHO = {
    f"GIT_{role}_{field}": value
    for role in ("AUTHOR", "COMMITTER")
    for field, value in (("NAME", "benchmark"), ("EMAIL", "none"), ("DATE", "@1700000000 +0000"))
}


def make(directory: Path) -> None:
    """Write everything below a directory that does not exist yet."""
    directory.mkdir(parents=True)
    files = dict(fleet())
    shared = "apps/shared/base/configmap.yaml"
    one = "apps/app-100/overlays/production/kustomization.yaml"
    repository(
        directory / "fleet",
        files,
        {
            "one-app": {one: files[one].replace("newTag: v1.0.0", "newTag: v1.0.1")},
            "no-op": {"README.md": "# Fleet\n\nSee the platform's handbook.\n"},
            "everywhere": {shared: files[shared].replace("log-level: info", "log-level: debug")},
        },
        remote=URL,
    )
    old, new = large(changed=False), large(changed=True)
    sides(directory / "large", old, new)
    repository(directory / "large/repository", {"crds/crd.yaml": old}, {"changed": {"crds/crd.yaml": new}})
    before, after = many(changed=False), many(changed=True)
    sides(directory / "many", "".join(before.values()), "".join(after.values()))
    repository(directory / "many/repository", before, {"changed": after})


def sides(directory: Path, old: str, new: str) -> None:
    """Both sides as plain files."""
    directory.mkdir()
    (directory / "before.yaml").write_text(old)
    (directory / "after.yaml").write_text(new)


def repository(
    directory: Path, files: Mapping[str, str], branches: Mapping[str, Mapping[str, str]], remote: str = ""
) -> None:
    """A Git repository with ``files`` on ``main`` and one commit on each branch."""
    directory.mkdir()
    git(directory, "init", "--quiet", "--initial-branch=main")
    if remote:
        git(directory, "remote", "add", "origin", remote)
    commit(directory, files, "the start")
    for name, changed in branches.items():
        git(directory, "switch", "--quiet", "--create", name, "main")
        commit(directory, changed, name)
    git(directory, "switch", "--quiet", "main")
    git(directory, "gc", "--quiet")


def commit(directory: Path, files: Mapping[str, str], message: str) -> None:
    """Write files and commit them."""
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--message", message)


def git(directory: Path, *arguments: str) -> None:
    """Run git without anybody's configuration."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "GIT_CONFIG_NOSYSTEM": "1", **_WHO}
    subprocess.run(["git", "-C", str(directory), *arguments], check=True, env=environment)


# -- a repository of many applications --------------------------------------------------------------------------------


def fleet() -> Iterator[tuple[str, str]]:
    """Applications, most of them overlays over a base of their own and one base that all share; some charts."""
    yield "README.md", "# Fleet\n"
    yield "apps/shared/base/kustomization.yaml", "resources:\n- configmap.yaml\n- networkpolicy.yaml\n"
    yield (
        "apps/shared/base/configmap.yaml",
        ("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: platform\ndata:\n  log-level: info\n  region: eu-1\n"),
    )
    yield (
        "apps/shared/base/networkpolicy.yaml",
        (
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: default-deny\n"
            "spec:\n  podSelector: {}\n  policyTypes: [Ingress]\n"
        ),
    )
    for number in range(KUSTOMIZATIONS):
        yield from _overlay(f"app-{number:03}")
    for number in range(CHARTS):
        yield from _chart(f"chart-{number:03}")


def _overlay(name: str) -> Iterator[tuple[str, str]]:
    home = f"apps/{name}"
    yield f"argocd/{name}.yaml", application(name, f"{home}/overlays/production")
    yield f"{home}/base/kustomization.yaml", "resources:\n- deployment.yaml\n- service.yaml\n- ../../shared/base\n"
    yield f"{home}/base/deployment.yaml", deployment(name, 0)
    yield f"{home}/base/service.yaml", service(name)
    yield (
        f"{home}/overlays/production/kustomization.yaml",
        (
            f"namespace: {name}\nresources:\n- ../../base\nreplicas:\n- name: {name}\n  count: 3\n"
            f"images:\n- name: registry.example.org/{name}\n  newTag: v1.0.0\n"
            f"configMapGenerator:\n- name: {name}-settings\n  literals:\n  - MODE=production\n"
        ),
    )


def _chart(name: str) -> Iterator[tuple[str, str]]:
    home = f"charts/{name}"
    yield f"argocd/{name}.yaml", application(name, home)
    yield f"{home}/Chart.yaml", f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n"
    yield f"{home}/values.yaml", "replicas: 2\nimage:\n  tag: v1.0.0\n"
    template = deployment(name, 0).replace("replicas: 1", "replicas: {{ .Values.replicas }}")
    yield f"{home}/templates/deployment.yaml", template.replace(":v0", ":{{ .Values.image.tag }}")
    yield f"{home}/templates/service.yaml", service(name)


def application(name: str, path: str) -> str:
    """One Application."""
    return (
        f"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: {name}\n  namespace: argocd\n"
        f"spec:\n  project: default\n  source:\n    repoURL: {URL}.git\n    targetRevision: main\n    path: {path}\n"
        f"  destination:\n    server: https://kubernetes.default.svc\n    namespace: {name}\n"
    )


def deployment(name: str, version: int) -> str:
    """One Deployment of the usual length."""
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels:
    app.kubernetes.io/name: {name}
    app.kubernetes.io/part-of: platform
spec:
  replicas: 1
  selector:
    matchLabels:
      app.kubernetes.io/name: {name}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {name}
    spec:
      serviceAccountName: default
      containers:
      - name: main
        image: registry.example.org/{name}:v{version}
        args: ["--listen=:8080", "--workers=4"]
        env:
        - name: LOG_FORMAT
          value: json
        - name: REGION
          valueFrom:
            configMapKeyRef:
              name: platform
              key: region
        ports:
        - name: http
          containerPort: 8080
        readinessProbe:
          httpGet:
            path: /ready
            port: http
        resources:
          requests:
            cpu: 100m
            memory: 128Mi
          limits:
            memory: 256Mi
"""


def service(name: str) -> str:
    """One Service."""
    return (
        f"apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\nspec:\n"
        f"  selector:\n    app.kubernetes.io/name: {name}\n"
        "  ports:\n  - name: http\n    port: 80\n    targetPort: http\n"
    )


# -- one large document, many documents -------------------------------------------------------------------------------


def large(*, changed: bool) -> str:
    """One CustomResourceDefinition of 70,000 lines; every hundredth line differs between the two."""
    lines = [
        "apiVersion: apiextensions.k8s.io/v1", "kind: CustomResourceDefinition", "metadata:",
        "  name: machines.example.org", "spec:", "  group: example.org", "  names:", "    kind: Machine",
        "    plural: machines", "  scope: Namespaced", "  versions:", "  - name: v1", "    served: true",
        "    storage: true", "    schema:", "      openAPIV3Schema:", "        type: object", "        properties:",
    ]  # fmt: skip
    group = 0
    while len(lines) < LARGE_LINES:
        lines += [f"          group{group:04}:", "            type: object", "            properties:"]
        for field in range(20):
            number = group * 20 + field
            word = "Changed" if changed and number % 20 == 7 else "Describes"
            lines += [
                f"              field{field:02}:",
                "                description: >-",
                f"                  {word} the setting {number} of the machine, as its operator reads it at start.",
                "                type: string",
                f"                maxLength: {number % 250 + 5}",
            ]
        group += 1
    return "\n".join(lines) + "\n"


def many(*, changed: bool) -> dict[str, str]:
    """20 MB in files of many documents; about every hundredth document differs between the two."""
    files: dict[str, str] = {}
    size, number = 0, 0
    parts: list[list[str]] = [[] for _ in range(_FILES)]
    while size < MANY_BYTES:
        version = 1 if changed and number % 101 == 42 else 0
        text = f"---\n{deployment(f'app-{number:05}', version) if number % 2 == 0 else _configmap(number, version)}"
        parts[number * _FILES // 16_000 % _FILES].append(text)
        size += len(text)
        number += 1
    for index, texts in enumerate(parts):
        if texts:
            files[f"manifests/part-{index:02}.yaml"] = "".join(texts)
    return files


def _configmap(number: int, version: int) -> str:
    entries = "".join(f'  setting-{entry:02}: "value {number * 31 + entry} of a ConfigMap"\n' for entry in range(30))
    head = f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings-{number:05}\n"
    return f'{head}data:\n  version: "{version}"\n{entries}'


if __name__ == "__main__":
    make(Path(sys.argv[1]))
