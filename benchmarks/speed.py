"""Speed and memory of gitops-bot beside the bare tools, dyff and git: one command, one table.

    python benchmarks/speed.py [--only a,b,c,d,e,f] [--repeat N] [--inputs DIRECTORY]

Every row is a whole process from start to end. The programs of one case run in turn, again and again, so that what
else the machine does meets all of them; shown are medians. CPU is user and system time of the process and all its
children; peak memory is that of the largest single process among them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

_HERE = Path(__file__).resolve().parent
_OURS = (sys.executable, "-m", "gitops_bot")
_CORES = 2
_MIB = 1 << 20


class Cost(NamedTuple):
    """What one run took."""

    wall: float
    """Seconds."""
    cpu: float
    """Seconds of user and system time, children included."""
    memory: int
    """Bytes, of the largest process."""
    output: bytes
    """Standard output, where it was kept."""


class Row(NamedTuple):
    """One line of the table."""

    case: str
    what: str
    costs: Sequence[Cost]
    target: str = ""
    met: bool | None = None

    def median(self, field: str) -> float:
        """The median of one field of the costs."""
        return float(statistics.median(getattr(cost, field) for cost in self.costs))


def run(
    argv: Sequence[str], *, cwd: Path, environment: dict[str, str] | None = None, codes: tuple[int, ...] = (0,)
) -> Cost:
    """Run one program to its end; raises SystemExit when its exit code is not among ``codes``."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            list(argv), cwd=cwd, env={**_environment(), **(environment or {})}, stdout=out, stderr=err
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in codes:
            err.seek(0)
            told = err.read().decode("utf-8", "replace")[-2000:]
            raise SystemExit(f"{' '.join(argv)} ended with {process.returncode}:\n{told}")
        out.seek(0)
        return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, out.read())


def _environment() -> dict[str, str]:
    """What a user's shell gives: above all, Python may keep what it compiled."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


class Bench:
    """The inputs, and where to write."""

    def __init__(self, inputs: Path, scratch: Path, repeat: int) -> None:
        self.inputs = inputs
        self.scratch = scratch
        self.repeat = repeat
        self._fresh = 0

    def rounds(self, *runs: Callable[[], Cost]) -> list[list[Cost]]:
        """Run all in turn, ``repeat`` times; the costs of each."""
        costs: list[list[Cost]] = [[] for _ in runs]
        for _ in range(self.repeat):
            for index, one in enumerate(runs):
                costs[index].append(one())
        return costs

    def fresh(self) -> Path:
        """A new, empty directory."""
        self._fresh += 1
        path = self.scratch / f"fresh-{self._fresh}"
        path.mkdir()
        return path

    def diff(self, repository: Path, head: str, home: Path, format_: str = "json") -> Cost:
        """``gitops-bot diff`` of a branch against ``main``; ``home`` is where caches lie.

        JSON has plan hashes, for which every manifest of what changed is read; text has none.
        """
        argv = [*_OURS, "diff", "--repo", str(repository), "--base", "main", "--head", head, "--offline"]
        environment = {"XDG_CACHE_HOME": str(home), "PYTHONPATH": str(_HERE.parent)}
        return run([*argv, "--format", format_], cwd=self.scratch, environment=environment)

    # -- the fleet ------------------------------------------------------------------------------------------------

    def fleet(self) -> Path:
        """The repository of many Applications."""
        return self.inputs / "fleet"

    def one_app(self) -> Iterable[Row]:
        """A change of one of 240 Applications."""
        warm_home = self.fresh()
        self.diff(self.fleet(), "one-app", warm_home)
        cold, warm = self.rounds(
            lambda: self.diff(self.fleet(), "one-app", self.fresh()),
            lambda: self.diff(self.fleet(), "one-app", warm_home),
        )
        _expect(cold[0].output, rendered=1, changed=1)
        yield _row("a", "one of 240 apps, empty cache", cold, seconds=2, mib=150)
        yield _row("a", "one of 240 apps, warm cache", warm, seconds=1, mib=150)

    def no_op(self) -> Iterable[Row]:
        """A change of nothing that is deployed."""
        (costs,) = self.rounds(lambda: self.diff(self.fleet(), "no-op", self.fresh()))
        _expect(costs[0].output, rendered=0, changed=0)
        yield _row("b", "nothing deployed changes, empty cache, nothing rendered", costs, seconds=1)

    def everywhere(self) -> Iterable[Row]:
        """A change that reaches every kustomization."""
        checkouts = self._checkouts("everywhere")
        ours, theirs = self.rounds(
            lambda: self.diff(self.fleet(), "everywhere", self.fresh()),
            lambda: self._bare([root / path for root in checkouts for path in _overlays(root)]),
        )
        _expect(ours[0].output, rendered=216, changed=216)
        ratio = _ratio(ours, theirs)
        yield Row("c", "216 of 216 kustomizations change, empty cache", ours, "≤ 1.2 times bare", ratio <= 1.2)
        yield Row("c", "bare `kustomize build` of the same 432, 2 at a time", theirs)

    def everything(self) -> Iterable[Row]:
        """What one does without an affected set: render all of both sides, then let git compare."""
        checkouts = self._checkouts("one-app")
        ours, theirs = self.rounds(
            lambda: self.diff(self.fleet(), "one-app", self.fresh()), lambda: self._render_and_diff(checkouts)
        )
        yield Row("f", "one of 240 apps, empty cache (as a)", ours)
        yield Row("f", "render everything twice, then `git diff`", theirs)

    def _checkouts(self, branch: str) -> list[Path]:
        """Both sides, checked out; not part of any measured time."""
        roots = []
        for revision in ("main", branch):
            root = self.fresh()
            archive = subprocess.run(
                ["git", "-C", str(self.fleet()), "archive", revision], capture_output=True, check=True
            )
            subprocess.run(["tar", "-x", "-C", str(root)], input=archive.stdout, check=True)
            roots.append(root)
        return roots

    def _bare(self, places: Sequence[Path], out: Path | None = None) -> Cost:
        """kustomize or helm over many directories, as many at a time as there are cores."""

        def build(place: Path) -> Cost:
            chart = (place / "Chart.yaml").exists()
            argv = ["helm", "template", place.name, "."] if chart else ["kustomize", "build", "."]
            cost = run(argv, cwd=place)
            if out is not None:
                name = f"{place.parent.parent.name}-{place.name}.yaml"
                (out / name).write_bytes(cost.output)
            return cost._replace(output=b"")

        started = time.perf_counter()
        with ThreadPoolExecutor(_CORES) as pool:
            costs = list(pool.map(build, places))
        wall = time.perf_counter() - started
        return Cost(wall, sum(cost.cpu for cost in costs), max(cost.memory for cost in costs), b"")

    def _render_and_diff(self, roots: Sequence[Path]) -> Cost:
        both = self.fresh()
        costs = []
        for name, root in zip(("before", "after"), roots, strict=True):
            (both / name).mkdir()
            charts = [path.parent.relative_to(root) for path in sorted(root.glob("charts/*/Chart.yaml"))]
            costs.append(self._bare([root / path for path in [*_overlays(root), *charts]], both / name))
        costs.append(run(["git", "diff", "--no-index", "before", "after"], cwd=both, codes=(1,)))
        return Cost(sum(c.wall for c in costs), sum(c.cpu for c in costs), max(c.memory for c in costs), b"")

    # -- large inputs ---------------------------------------------------------------------------------------------

    def files(self, case: str, name: str, what: str, seconds: float, mib: float) -> Iterable[Row]:
        """Two files, or one directory of manifests on two commits, beside dyff and git."""
        place = self.inputs / name
        home = self.fresh()
        self.diff(place / "repository", "changed", home)
        runs: dict[str, Callable[[], Cost]] = {
            "the comparison, in its process": lambda: self._engine(place),
            "`gitops-bot diff` of the directory": lambda: self.diff(place / "repository", "changed", home, "text"),
            "the same with plan hashes, as JSON": lambda: self.diff(place / "repository", "changed", home),
        }
        if shutil.which("dyff"):
            argv = ["dyff", "between", "before.yaml", "after.yaml"]
            runs["`dyff between`"] = lambda: run(argv, cwd=place, codes=(0, 1))
        runs["`git diff --no-index`"] = lambda: run(
            ["git", "diff", "--no-index", "before.yaml", "after.yaml"], cwd=place, codes=(1,)
        )
        for label, costs in zip(runs, self.rounds(*runs.values()), strict=True):
            if label.startswith("the comparison"):
                inner = [cost._replace(wall=json.loads(cost.output)["seconds"]) for cost in costs]
                yield _row(case, f"{what}: {label}", inner, seconds=seconds, mib=mib)
            else:
                yield Row(case, f"{what}: {label}", costs)
        if not shutil.which("dyff"):
            yield Row(case, f"{what}: dyff is not on PATH", [])

    def _engine(self, place: Path) -> Cost:
        argv = [sys.executable, str(_HERE / "compare_files.py"), "before.yaml", "after.yaml"]
        return run(argv, cwd=place, environment={"PYTHONPATH": str(_HERE.parent)})


def _overlays(root: Path) -> list[Path]:
    return [path.relative_to(root) for path in sorted(root.glob("apps/*/overlays/production"))]


def _expect(output: bytes, *, rendered: int, changed: int) -> None:
    """Raise SystemExit when a run did other work than it was measured for."""
    counts = json.loads(output)["counts"]
    if (counts["rendered"], counts["changed"]) != (rendered, changed):
        raise SystemExit(f"expected {rendered} rendered and {changed} changed, got {counts}")


def _ratio(ours: Sequence[Cost], theirs: Sequence[Cost]) -> float:
    """The median of the ratios of runs that followed each other."""
    return statistics.median(one.wall / other.wall for one, other in zip(ours, theirs, strict=True))


def _row(case: str, what: str, costs: Sequence[Cost], *, seconds: float, mib: float = 0) -> Row:
    row = Row(case, what, costs)
    target = f"≤ {seconds:g} s" + (f", ≤ {mib:g} MiB" if mib else "")
    met = row.median("wall") <= seconds and (not mib or row.median("memory") <= mib * _MIB)
    return row._replace(target=target, met=met)


def table(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table; the ratio is to the first row of the same case."""
    lines = ["| | what | wall, s | x | CPU, s | peak, MiB | target | met |", "|---|---|---:|---:|---:|---:|---|---|"]
    first: dict[str, float] = {}
    for row in rows:
        if not row.costs:
            lines.append(f"| {row.case} | {row.what} | | | | | | |")
            continue
        wall = row.median("wall")
        ratio = wall / first.setdefault(row.case, wall)
        met = "" if row.met is None else "yes" if row.met else "**no**"
        lines.append(
            f"| {row.case} | {row.what} | {wall:.2f} | {ratio:.2f} | {row.median('cpu'):.2f} "
            f"| {row.median('memory') / _MIB:.0f} | {row.target} | {met} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Make the inputs, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="a,b,c,d,e,f", help="which cases, by letter (default: all)")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each (default: 5)")
    parser.add_argument("--inputs", type=Path, help="where inputs are kept between runs (default: made anew)")
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:_CORES])
    with tempfile.TemporaryDirectory(prefix="speed-") as scratch:
        inputs = given.inputs or Path(scratch, "inputs")
        if not inputs.exists():
            subprocess.run([sys.executable, str(_HERE / "inputs.py"), str(inputs)], check=True)
        bench = Bench(inputs, Path(scratch), given.repeat)
        cases: dict[str, Callable[[], Iterable[Row]]] = {
            "a": bench.one_app,
            "b": bench.no_op,
            "c": bench.everywhere,
            "d": lambda: bench.files("d", "large", "one document of 70,000 lines, 1 % changed", 0.5, 0),
            "e": lambda: bench.files("e", "many", "20 MB of documents a side, 1 % changed", 3, 300),
            "f": bench.everything,
        }
        rows: list[Row] = []
        for letter in given.only.split(","):
            found = list(cases[letter.strip()]())
            rows += found
            print(table(found), end="\n\n", file=sys.stderr, flush=True)
        print(table(rows))


if __name__ == "__main__":
    main()
