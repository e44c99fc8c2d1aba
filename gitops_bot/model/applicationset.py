"""Argo CD's ``ApplicationSet``: the fields that decide which Applications it stands for.

Field names and meaning are Argo CD's (``argoproj.io/v1alpha1``). Generators and the template stay plain mappings: each
of their strings may be a template, so they get their types only after templating.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from gitops_bot.model.application import Metadata

Params = Mapping[str, Any]
"""What one generated Application is templated with: JSON values by name."""


class ApplicationSetSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``spec`` of an ApplicationSet."""

    generators: tuple[dict[str, Any], ...] = ()
    """Each has one key that names its kind (``list``, ``git``, ``matrix`` …), and perhaps a ``selector``."""
    template: dict[str, Any]
    """An Application's ``metadata`` and ``spec``; every string in it, keys too, is a template."""
    template_patch: str | None = None
    """Template of a YAML text that is merged into each generated Application."""
    go_template: bool = False
    """True: Go templates with sprig's functions; False: ``{{name}}`` placeholders only."""
    go_template_options: tuple[str, ...] = ()
    """Options of Go's ``text/template``: ``missingkey=error`` and its like."""


class ApplicationSet(msgspec.Struct, frozen=True, kw_only=True):
    """One ApplicationSet."""

    metadata: Metadata
    spec: ApplicationSetSpec

    @property
    def name(self) -> str:
        return self.metadata.name


class Template(NamedTuple):
    """One Go template to render."""

    text: str
    params: Params
    """What ``.`` and ``$`` are."""
    missing: str = "invalid"
    """What a missing key is: ``invalid`` prints ``<no value>``, ``zero`` too but has no fields, ``error`` fails."""


RenderTemplates = Callable[[Sequence[Template]], list[str]]
"""Renders a batch of Go templates, in order; raises a RenderError that names the template that failed."""
