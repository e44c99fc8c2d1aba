"""What `make demo` shows: what a branch will deploy, how versions move in Git, and a cluster that follows.

Everything happens in a temporary folder and on loopback, with real Git, the real renderers and a real API server.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from examples.demo_cluster import Bringing

EXAMPLE = Path(__file__).parent / "churn-mlops"
CHART = "k8s/helm/churn-mlops"
BRANCH = "careful-churn"
IMAGE = "ghcr.io/acme/churn-api:sha-7d21f04"
BUILT = "ghcr.io/acme/churn-api:sha-2c9e5d8"
PDB = """\
{{- if .Values.autoscaling.enabled }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "churn-mlops.api" . }}
  labels:
    {{- $name := include "churn-mlops.api" . }}
    {{- include "churn-mlops.labels" (dict "root" . "name" $name "component" "api") | nindent 4 }}
spec:
  minAvailable: 2
  selector:
    matchLabels:
      app.kubernetes.io/name: {{ include "churn-mlops.api" . }}
{{- end }}
"""


def main() -> int:
    """Build the repository, show the change and its diff, what is written back, and the cluster; the exit code."""
    bringing = None
    if "--no-cluster" not in sys.argv:
        from examples.demo_cluster import Bringing  # needs the agent's packages, which the first half does not

        bringing = Bringing()
    try:
        with tempfile.TemporaryDirectory(prefix="gitops-bot-demo-") as folder:
            return shown(Path(folder), bringing)
    finally:
        if bringing is not None:
            bringing.stop()


def shown(folder: Path, bringing: Bringing | None) -> int:
    """Everything, in a folder; the first exit code that is not 0. Without ``bringing`` no cluster."""
    repository = folder / "churn-mlops-prod"
    build(repository)
    say(f"The example repository, and a pull request from {BRANCH} into main:")
    show(["git", "--no-pager", "log", "--graph", "--oneline", "--all", "--decorate"], repository)
    show(["git", "--no-pager", "diff", "--stat", f"main...{BRANCH}"], repository)
    say("Which is to say, in the cluster:")
    code = gitops_bot(repository, "diff", "--base", "main", "--head", BRANCH)
    code = code or write_back(repository)
    return code if code or bringing is None else pull_in(repository, folder, bringing)


def pull_in(repository: Path, folder: Path, bringing: Bringing) -> int:
    """A cluster that follows main: what merges, what a build bumps, what somebody changes by hand, and a rollback."""
    from examples.demo_cluster import cluster

    say("Now a cluster follows main, as it was before that: a control plane on this machine, and the agent in it.")
    git(repository, "reset", "--quiet", "--hard", "HEAD~1")
    with cluster(bringing.wait(), repository, folder) as here:
        commit(repository, "chore: follow the Git host of this demo")
        here.follow(here.settled(here.push()))
        say(f"The pull request {BRANCH} is merged:")
        git(repository, "merge", "--quiet", "--no-edit", BRANCH)
        here.follow(here.settled(here.push()))
        say("A build bumps the image:")
        code = gitops_bot(repository, "bump", "--image", BUILT, "--environment", "staging", "--no-commit")
        commit(repository, "chore: update image tag")
        here.follow(here.settled(here.push()))
        say("Somebody scales it by hand to 10:")
        here.scale(10)
        here.healed(3)
        say("The image was a mistake. It is undone in Git, and held:")
        undo = ("rollback", "--environment", "staging", "--why", "every request failed", "--by", "ada", "--no-commit")
        code = code or gitops_bot(repository, *undo)
        commit(repository, "fix: roll back staging")
        here.follow(here.settled(here.push()))
        say("What the cluster has had, which is what Git has had:")
        asked = ("agent", "history", "churn-mlops-staging")
        return code or gitops_bot(repository, *asked, kubeconfig=str(here.plane.kubeconfig))


def write_back(repository: Path) -> int:
    """A build's new image, its promotion and its rollback; the first exit code that is not 0.

    All in the working tree: at GitHub they are commits and pull requests.
    """
    git(repository, "switch", "--quiet", "main")
    say("Then a build has pushed a new image, and writes it into staging's values:")
    code = gitops_bot(repository, "bump", "--image", IMAGE, "--environment", "staging", "--no-commit")
    commit(repository, "chore: update image tag")
    show(["git", "--no-pager", "show", "--format=", "--unified=1"], repository)
    say("Production gets what staging has proved (as a pull request, and after it the next tag):")
    code = code or gitops_bot(repository, "promote", "--to", "production", "--no-commit", "--dry-run")
    say("And if it was a mistake in staging, it is undone and held, so that no bump brings it back:")
    undo = ("rollback", "--environment", "staging", "--why", "every request failed", "--by", "ada", "--no-commit")
    code = code or gitops_bot(repository, *undo)
    show(["git", "--no-pager", "diff", "--unified=1", "--", CHART], repository)
    return code or gitops_bot(repository, "hold", "list")


def gitops_bot(repository: Path, *arguments: str, kubeconfig: str = os.devnull) -> int:
    """Show and run one of our commands, of which those of the agent ask a cluster; its exit code."""
    print(f"$ gitops-bot {shlex.join(arguments)}\n", flush=True)
    argv = [sys.executable, "-m", "gitops_bot", *arguments]
    environment = {**os.environ, "KUBECONFIG": kubeconfig, "NO_PROXY": "127.0.0.1"}
    ended = subprocess.run(argv, cwd=repository, env=environment, check=False)
    print(flush=True)
    return ended.returncode


def build(repository: Path) -> None:
    """The example with some history, and a branch that changes it."""
    made_by_tools = shutil.ignore_patterns("__pycache__", ".*_cache", ".venv", "*.egg-info")
    shutil.copytree(EXAMPLE, repository, ignore=made_by_tools)
    git(repository, "init", "--quiet", "--initial-branch=main")
    commit(repository, "feat: churn API, weekly retraining, three environments")
    git(repository, "tag", "v1.0.0")
    staging = repository / CHART / "values-staging.yaml"
    edit(staging, "tag: sha-9d3e7f2", "tag: sha-4be81c0")
    commit(repository, "chore: update image tag")
    git(repository, "branch", "develop")

    git(repository, "switch", "--quiet", "--create", BRANCH)
    edit(repository / CHART / "values.yaml", "decisionThreshold: 0.5", "decisionThreshold: 0.6")
    commit(repository, "feat: call a customer at risk only from 0.6")
    edit(staging, "tag: sha-4be81c0", "tag: sha-1f0c2ab")
    edit(staging, "replicaCount: 2", "replicaCount: 3")
    commit(repository, "chore: update image tag, and one replica more in staging")
    development = repository / CHART / "values-development.yaml"
    edit(development, "suspend: true", "enabled: false")
    (repository / CHART / "templates" / "pdb.yaml").write_text(PDB)
    commit(repository, "feat: no retraining in development, no surprise evictions in production")


def edit(file: Path, before: str, after: str) -> None:
    """Replace the one place in a file; the example must still have it."""
    text = file.read_text()
    if text.count(before) != 1:
        raise SystemExit(f"{file.name} does not say {before!r} exactly once: the demo and the example disagree")
    file.write_text(text.replace(before, after))


def commit(repository: Path, message: str) -> None:
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", message)


def git(repository: Path, *arguments: str) -> None:
    """Run git as somebody, without the configuration of whoever runs the demo."""
    who = {
        f"GIT_{role}_{field}": value
        for role in ("AUTHOR", "COMMITTER")
        for field, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org"), ("DATE", "2026-03-02T09:00:00+0000"))
    }
    sealed = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", *arguments], cwd=repository, env=sealed, check=True)


def say(text: str) -> None:
    print(f"\n{text}\n", flush=True)


def show(command: list[str], repository: Path) -> None:
    print(f"$ {' '.join(command).replace(' --no-pager', '')}", flush=True)
    subprocess.run(command, cwd=repository, check=True)
    print(flush=True)


if __name__ == "__main__":
    sys.exit(main())
