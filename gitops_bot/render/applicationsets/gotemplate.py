"""Go templates of ApplicationSets, rendered by the real engine: one helm run over a scratch chart for a whole batch."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gitops_bot.doors import process
from gitops_bot.errors import RenderError, ToolError
from gitops_bot.model.applicationset import Template
from gitops_bot.render.applicationsets import gosyntax
from gitops_bot.render.applicationsets.fasttemplate import TemplateError, shorten
from gitops_bot.render.deadline import Deadline

LIMITS = process.Limits(seconds=10.0, output=64 * 1024 * 1024)
"""For one batch: thousands of honest templates take a second. The default memory stays: Go needs most of a GiB of
address space to start."""

_FILE = 3 * 1024 * 1024
"""Bytes of one batch file: helm refuses files of a chart beyond 5 MiB."""

_KEPT = 256
"""Batches remembered in a process."""

_HELPERS = r"""
{{- define "argo.normalize" }}{{ regexReplaceAll "[^-a-z0-9.]" (lower .) "-" | trunc 253 | trimAll "-." }}{{ end }}

{{- define "argo.slugify" }}
  {{- $size := 50 }}{{ $smart := false }}{{ $last := sub (len .) 1 | int }}
  {{- if gt $last 0 }}{{ $size = int (index . 0) }}{{ end }}
  {{- if gt $last 1 }}{{ $smart = index . 1 }}{{ end }}
  {{- $slug := include "argo.normalize" (index . $last) | replace "." "-" }}
  {{- $slug = regexReplaceAll "-+" $slug "-" | trimAll "-" }}
  {{- if le (len $slug) $size }}{{ $slug }}
  {{- else if not $smart }}{{ fail (printf "slugify: longer than %d characters, and without smart truncation" $size) }}
  {{- else if regexMatch (printf "^.{0,%d}-" $size) $slug }}
    {{- regexFind (printf "^.{0,%d}-" $size) $slug | trimSuffix "-" }}
  {{- else }}{{ trunc $size $slug }}
  {{- end }}
{{- end }}

{{- define "argo.has" }}
  {{- $here := first . }}{{ $whole := true }}
  {{- range rest . }}
    {{- if kindIs "invalid" $here }}{{ $whole = false }}
    {{- else if kindIs "map" $here }}{{ $here = index $here . }}
    {{- end }}
  {{- end }}
  {{- if $whole }}1{{ end }}
{{- end }}

{{- define "argo.need" }}
  {{- $here := first . }}
  {{- range rest . }}
    {{- if kindIs "invalid" $here }}{{ fail (printf "nil data; no entry for key %q" .) }}
    {{- else if kindIs "map" $here }}
      {{- if not (hasKey $here .) }}{{ fail (printf "map has no entry for key %q" .) }}{{ end }}
      {{- $here = index $here . }}
    {{- end }}
  {{- end }}1
{{- end }}
"""


class GoTemplates:
    """Renders batches of Go templates; calling it satisfies ``RenderTemplates``.

    Equal batches are rendered once in a process, so base and head share the work.
    """

    def __init__(
        self, helm: Sequence[str], *, limits: process.Limits = LIMITS, deadline: Deadline | None = None
    ) -> None:
        """Take the command that runs helm: its path, and any arguments that go before the subcommand.

        ``limits`` hold for each batch, ``deadline`` for all renders of the run together, None for none.
        """
        self._helm = tuple(helm)
        self._limits = limits
        self._deadline = deadline or Deadline()
        self._known: dict[str, list[str]] = {}
        self.runs = 0
        """How often helm was run."""

    def __call__(self, batch: Sequence[Template]) -> list[str]:
        """Render every template with its params, in order.

        Templates that only print params need no helm. Raises TemplateError that names the template that failed (the
        first one), ToolError when helm is needed and cannot be run.
        """
        results: list[str | None] = []
        hard: list[tuple[Template, str]] = []
        for template in batch:
            parts = gosyntax.parse(template.text)
            gosyntax.check(template.text, parts)
            easy = gosyntax.simple(template.text, parts, template.params, template.missing)
            results.append(easy)
            if easy is None:
                hard.append((template, gosyntax.for_helm(parts, template.missing)))
        rendered = iter(self._remembered(hard))
        return [next(rendered) if result is None else result for result in results]

    def _remembered(self, batch: list[tuple[Template, str]]) -> list[str]:
        if not batch:
            return []
        chart = _chart(batch)
        key = hashlib.sha256("\0".join((chart.main, *chart.texts)).encode() + b"\0".join(chart.files)).hexdigest()
        if key not in self._known:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[key] = self._run(batch, chart)
        return self._known[key]

    def _run(self, batch: list[tuple[Template, str]], chart: _Chart) -> list[str]:
        if shutil.which(self._helm[0]) is None:
            raise ToolError("helm was not found; Go templates need it", hint="gitops-bot tools install")
        try:
            limits = self._deadline.within(self._limits)
        except RenderError as error:
            raise TemplateError(error.message, hint=error.hint) from error
        self.runs += 1
        with tempfile.TemporaryDirectory(prefix="gitops-bot-templates-") as scratch:
            root = Path(scratch, "chart")
            root.joinpath("templates").mkdir(parents=True)
            root.joinpath("Chart.yaml").write_text("apiVersion: v2\nname: batch\nversion: 0.0.0\n")
            root.joinpath("templates", "_argo.tpl").write_text(_HELPERS)
            root.joinpath("templates", "batch.yaml").write_text(chart.main)
            for number, text in enumerate(chart.texts):
                item = f'{{{{define "item {number}"}}}}{text}{{{{end}}}}'
                root.joinpath("templates", f"_item{number}.tpl").write_bytes(item.encode())
            for number, content in enumerate(chart.files):
                root.joinpath(_path(number)).write_bytes(content)
            home = dict.fromkeys(("HOME", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"), scratch)
            argv = (*self._helm, "template", "batch", root.as_posix())
            ended = process.run(argv, cwd=scratch, env=home, limits=limits)
        if ended.stopped:
            raise TemplateError(
                f"a Go template was stopped after {ended.stopped}",
                hint="look for a range over too many items, or a template that grows without end",
            )
        if ended.code != 0:
            raise _failure(batch, chart, ended.stderr)
        lines = re.findall(rb'^- "([A-Za-z0-9+/=]*)"$', ended.stdout, re.MULTILINE)
        if len(lines) != len(batch):
            raise TemplateError("helm's answer does not fit the batch of Go templates")
        return [base64.b64decode(line).decode("utf-8", "replace") for line in lines]


class _Chart(NamedTuple):
    """What helm is given for a batch."""

    texts: tuple[str, ...]
    """Every distinct template, for a file of its own: an error names the file."""
    main: str
    """The template that renders each text with each params, one line per item: an error of ``fail`` names the line."""
    first_line: int
    """Line of the first item in ``main``, from 1."""
    files: tuple[bytes, ...]
    """JSON lists of params."""


def _chart(batch: list[tuple[Template, str]]) -> _Chart:
    files: list[bytes] = []
    lines: list[str] = []
    texts: dict[str, int] = {}
    params: dict[str, int] = {}
    size = 0
    for template, text in batch:
        data = json.dumps(template.params, sort_keys=True)
        if params and data not in params and size + len(data) > _FILE:
            files.append(_file(params))
            params, size = {}, 0
        size += 0 if data in params else len(data)
        name = f"item {texts.setdefault(text, len(texts))}"
        known = params.setdefault(data, len(params))
        lines.append(f'- "{{{{ include "{name}" (index $f{len(files)}.params {known}) | b64enc }}}}"')
    files.append(_file(params))
    head = [f'{{{{- $f{index} := .Files.Get "{_path(index)}" | fromJson }}}}' for index in range(len(files))]
    return _Chart(tuple(texts), "\n".join([*head, "items:", *lines, ""]), len(head) + 2, tuple(files))


def _path(number: int) -> str:
    return f"batch-{number}.json"


def _file(params: dict[str, int]) -> bytes:
    return f'{{"params":[{",".join(params)}]}}'.encode()


_CONTEXT = re.compile(
    r"""(?:at <[^\n]*?>|error calling \w+|executing "[^"]*"|error at \([^)]*\)|template: [\w./-]+:\d+(?::\d+)?): """
)
"""What Go and helm put in front of the reason."""


def _failure(batch: list[tuple[Template, str]], chart: _Chart, stderr: str) -> TemplateError:
    """What helm said, about the template as its author wrote it."""
    crash = re.search(r"^(?:fatal error|panic|runtime): .*", stderr, re.MULTILINE)
    if crash and "goroutine " in stderr:
        return TemplateError(
            f"a Go template made helm crash: {crash.group()}",
            hint="look for a range over too many items, or a template that grows without end",
        )
    lines = [line for line in stderr.splitlines() if line.strip() and not line.startswith("Use --debug")]
    reason = _CONTEXT.split(lines[-1])[-1].strip() if lines else "helm failed without a message"
    by_file = re.search(r"templates/_item(\d+)\.tpl", stderr)
    by_line = re.search(r"templates/batch\.yaml:(\d+)", stderr)
    written = ""
    if by_file:
        text = chart.texts[int(by_file.group(1))]
        written = next(template.text for template, rewritten in batch if rewritten == text)
    elif by_line and 0 <= (number := int(by_line.group(1)) - chart.first_line) < len(batch):
        written = batch[number][0].text
    return TemplateError(f"template {shorten(written)}: {reason}" if written else f"a Go template failed: {reason}")
