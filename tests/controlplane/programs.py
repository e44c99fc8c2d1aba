"""Where a control plane's programs come from, the first that has them: `KUBEBUILDER_ASSETS`, the cache, their projects'
release files, and build.sh.

As a program it brings them and prints their folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gitops_bot.doors.install import this_platform
from tests.controlplane.releases import ETCD, KUBERNETES, KWOK, RELEASES, NotDownloaded, Release, download

NAMES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
STAGES = ("node-initialize", "node-heartbeat-with-lease", "pod-ready", "pod-complete", "pod-delete")
OWN_CLUSTER = "GITOPS_BOT_TEST_KUBECONFIG"
"""Names the kubeconfig of a cluster of the user's own, for tests that need neither kwok nor an audit log."""
MISSING = "there is no control plane; make test-tools brings it, once"
"""What is said where something needs one, and should not wait for it."""
_BUILD = Path(__file__).with_name("build.sh")


def find_programs() -> Path | None:
    """The folder with all programs and stages, None where they have to be brought first."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and is_complete(Path(assets)):
        return Path(assets)
    built = _build_says("--if-built")
    return Path(built) if built else None


def bring_programs(releases: Sequence[Release]) -> Path | None:
    """The same, downloaded where they are not there; None where they have to be built. Tells on standard error.

    ``releases`` are those for this machine, none where nothing is published for it.
    """
    found = find_programs()
    if found is not None:
        return found
    if not releases:
        _say(f"there are no release files for {this_platform()}; building the control plane instead")
        return None
    _say(f"downloading Kubernetes {KUBERNETES}, etcd {ETCD} and kwok {KWOK} (once)")
    folder = Path(_build_says("--folder"))
    try:
        download(releases, folder, _say)
    except NotDownloaded as error:
        _say(f"{error}\nbuilding the control plane instead")
        return None
    return folder


def is_complete(folder: Path) -> bool:
    """Whether a folder has every program and every stage."""
    return all(os.access(folder / name, os.X_OK) for name in NAMES) and all(
        (folder / f"{stage}.yaml").is_file() for stage in STAGES
    )


def _build_says(option: str) -> str:
    """What build.sh, which knows where everything belongs, prints without building."""
    return subprocess.run([_BUILD, option], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    brought = bring_programs(RELEASES.get(this_platform(), ()))
    if brought is None:
        os.execv(_BUILD, [str(_BUILD)])  # who ends this ends the build
    print(brought)
