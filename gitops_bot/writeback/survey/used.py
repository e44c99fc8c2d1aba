"""Which workflow of a repository uses the Action already. Pure."""

from __future__ import annotations

import posixpath
from typing import Any

from gitops_bot.manifests import yaml
from gitops_bot.model.tree import Tree

_ACTION = "gitops-bot/gitops-bot@"
_OURS = "diff.yml"
"""What ``init`` writes; that it is there is told when it would be replaced."""


def diffs_by(tree: Tree) -> str | None:
    """The path of a workflow, other than our diff.yml, that compares pull requests; None where none does."""
    for path in tree.children(".github/workflows"):
        entry = tree.entry(path)
        if entry is None or not entry.is_file or not path.endswith((".yml", ".yaml")):
            continue
        if posixpath.basename(path) == _OURS:
            continue
        data = tree.blobs([entry.oid])[entry.oid]
        if _ACTION.encode() in data and b"pull_request" in data and _has_diff(data):
            return path
    return None


def _has_diff(data: bytes) -> bool:
    try:
        workflow = yaml.load(data)
    except yaml.YamlError:
        return False
    return any(_is_diff(step) for step in _steps(workflow))


def _steps(workflow: Any) -> list[Any]:
    jobs = workflow.get("jobs") if isinstance(workflow, dict) else None
    found = [job.get("steps") for job in jobs.values() if isinstance(job, dict)] if isinstance(jobs, dict) else []
    return [step for steps in found if isinstance(steps, list) for step in steps]


def _is_diff(step: Any) -> bool:
    if not isinstance(step, dict) or not str(step.get("uses") or "").startswith(_ACTION):
        return False
    given = step.get("with")
    return not isinstance(given, dict) or given.get("command", "diff") == "diff"
