"""Where a control plane's programs come from: `KUBEBUILDER_ASSETS`, else what build.sh has built, else it is built now.

As a program it brings them, unless the tests have another cluster.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

NAMES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
STAGES = ("node-initialize", "node-heartbeat-with-lease", "pod-ready", "pod-complete", "pod-delete")
OWN_CLUSTER = "GITOPS_BOT_TEST_KUBECONFIG"
"""Names the kubeconfig of a cluster of the user's own, for tests that need neither kwok nor an audit log."""
_BUILD = Path(__file__).with_name("build.sh")


def find_programs() -> Path | None:
    """The folder with all programs and stages, None where they have to be built first."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and is_complete(Path(assets)):
        return Path(assets)
    built = subprocess.run([_BUILD, "--if-built"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return Path(built) if built else None


def bring_programs() -> Path:
    """The same, built where they are not there: some eight minutes, once, told on standard error."""
    found = find_programs()
    if found is not None:
        return found
    return Path(subprocess.run([_BUILD], stdout=subprocess.PIPE, text=True, check=True).stdout.strip())


def is_complete(folder: Path) -> bool:
    """Whether a folder has every program and every stage."""
    return all(os.access(folder / name, os.X_OK) for name in NAMES) and all(
        (folder / f"{stage}.yaml").is_file() for stage in STAGES
    )


if __name__ == "__main__":
    if OWN_CLUSTER not in os.environ:
        bring_programs()
