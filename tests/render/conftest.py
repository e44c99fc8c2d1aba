"""Fixtures of the renderer tests."""

from __future__ import annotations

from tests.render.sources import workplace

__all__ = ["workplace"]
