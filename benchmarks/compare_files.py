"""Compare two files of manifests with gitops-bot's engine alone, in this process.

    python benchmarks/compare_files.py BEFORE AFTER

Prints the seconds that the comparison itself took, and what it found.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from gitops_bot.doors.git import text_diff
from gitops_bot.manifests.compare import compare


def main() -> None:
    """Run once."""
    before, after = (Path(name).read_bytes() for name in sys.argv[1:3])
    started = time.perf_counter()
    found = compare(before, after, text_diff=text_diff)
    seconds = time.perf_counter() - started
    fields = sum(len(change.fields) for change in found.changes)
    print(
        json.dumps({"seconds": seconds, "changes": len(found.changes), "unchanged": found.unchanged, "fields": fields})
    )


if __name__ == "__main__":
    main()
