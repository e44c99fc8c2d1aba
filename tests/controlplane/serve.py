"""``python -m tests.controlplane.serve PROGRAMS DIRECTORY PID``: a control plane for as long as a process lives.

The workers of one test run share it: the first one starts this, and it ends with the run itself, however that ends.
Tells where it is by the file ``ready.json`` in the directory, or why it is not by ``failed``.
"""

from __future__ import annotations

import json
import os
import select
import sys
from pathlib import Path

from tests.controlplane.plane import control_plane


def main(programs: Path, directory: Path, owner: int) -> None:
    """Serve until the process ``owner`` has ended."""
    ended = os.pidfd_open(owner)
    try:
        with control_plane(programs, directory) as plane:
            told = {"url": plane.url, "certificate": str(plane.certificate), "token": plane.token}
            part = directory / ".ready"
            part.write_text(json.dumps(told))
            part.rename(directory / "ready.json")
            select.select([ended], [], [])
    except RuntimeError as error:
        (directory / "failed").write_text(str(error))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
