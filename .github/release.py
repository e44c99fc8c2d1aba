"""What a release checks and writes; `release.yml` calls it, `tests/test_workflows.py` tests it.

python3 .github/release.py check 1.2.3                     # everything that says a version says this one
python3 .github/release.py notes 1.2.3                     # the changelog's section, on standard output
python3 .github/release.py pin ghcr.io/o/i@sha256:…        # action.yml runs this image instead of building one
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
_VERSION = re.compile(r"(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){2}")
_BUILT = re.compile(r"^(  image: )Dockerfile(?: #.*)?$", re.MULTILINE)
_IMAGE = re.compile(r"[a-z0-9.-]+(?:/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}")


def check(version: str, root: Path = ROOT) -> list[str]:
    """What is not ready for this version; empty when all is."""
    problems = [] if _VERSION.fullmatch(version) else [f"{version!r} is no version X.Y.Z"]
    package = re.search(r'^__version__ = "(.+)"$', (root / "gitops_bot/__init__.py").read_text(), re.MULTILINE)
    label = re.search(r'image\.version="(.+?)"', (root / "Dockerfile").read_text())
    for what, found in (("the package", package), ("the image's label", label)):
        if found is None or found[1] != version:
            problems.append(f"{what} says {found[1] if found else 'nothing'}, not {version}")
    if not notes(version, root):
        problems.append(f"CHANGELOG.md has no section {version}")
    if len(_BUILT.findall((root / "action.yml").read_text())) != 1:
        problems.append("action.yml has not exactly one line `  image: Dockerfile`")
    return problems


def notes(version: str, root: Path = ROOT) -> str:
    """The section of the changelog with this version in its heading, without the heading; empty when there is none."""
    heading = re.compile(rf"^## \[?{re.escape(version)}\]?(?:\s.*)?$", re.MULTILINE)
    text = (root / "CHANGELOG.md").read_text()
    found = heading.search(text)
    return text[found.end() :].partition("\n## ")[0].strip() if found else ""


def pinned(action: str, image: str) -> str:
    """The text of action.yml with its image pulled by digest. Raises ValueError when it would not be just that."""
    if not _IMAGE.fullmatch(image):
        raise ValueError(f"{image!r} is no image with a digest")
    text, count = _BUILT.subn(rf"\g<1>docker://{image}", action)
    if count != 1:
        raise ValueError("action.yml has not exactly one line `  image: Dockerfile`")
    return text


def main(arguments: list[str]) -> int:
    """Do what the arguments say; 1 when something is not ready."""
    match arguments:
        case ["check", version]:
            problems = check(version)
            print("\n".join(problems), file=sys.stderr)
            return 1 if problems else 0
        case ["notes", version]:
            print(notes(version))
        case ["pin", image]:
            action = ROOT / "action.yml"
            action.write_text(pinned(action.read_text(), image))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
