"""A secret on its way from reading to masking: its mask says whether it changed, and nothing else tells it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any

import msgspec

from gitops_bot.manifests.secret_text import Span, replace

SECRET = "<secret>"
SECRET_CHANGED = "<secret, changed>"
CHECKSUM = ("<checksum>", "<checksum, changed>")
"""The masks of a hash over configuration."""


class Veiled:
    """A secret, or a text with secrets in it, on its way from reading to masking."""

    __slots__ = ("_decode", "_masks", "_spans", "_value")

    def __init__(
        self,
        value: Any,
        spans: list[Span] | None = None,
        *,
        decode: bool = False,
        masks: tuple[str, str] = (SECRET, SECRET_CHANGED),
    ) -> None:
        """Take the value and which parts of it are secret: all of it without ``spans``."""
        self._value = value
        self._spans = spans
        self._decode = decode
        self._masks = masks

    def __repr__(self) -> str:
        return str(self.mask(None))

    def mask(self, earlier: Any) -> str:
        """The text to show, seen against the same place of the base side (None: there is none)."""
        plain, changed = self._masks
        if self._spans is None:
            known = isinstance(earlier, Veiled) and earlier.is_whole
            return changed if known and earlier.content() != self.content() else plain
        before = earlier.parts() if isinstance(earlier, Veiled) else {}
        masks = [
            (span, changed if before.get(span.label, text) != text else plain)
            for span, text in zip(self._spans, self.parts().values(), strict=True)
        ]
        return replace(self._value, masks)

    def secrets(self) -> Iterator[Any]:
        """The secret values themselves: for looking for them in what a program says, never to be shown."""
        if self._spans is None:
            yield self._value
        else:
            yield from self.parts().values()

    @property
    def is_whole(self) -> bool:
        """Whether all of the value is secret."""
        return self._spans is None

    def parts(self) -> dict[str, str]:
        """The secret parts of a text by what they are there; empty where all of it is secret."""
        return {span.label: self._value[span.start : span.end] for span in self._spans or ()}

    def content(self) -> bytes:
        """What is compared of a value that is all secret: the bytes of base64 where that is meant, else the value."""
        if self._decode and isinstance(self._value, str):
            try:
                return b"b" + base64.b64decode(self._value.replace("\n", "").replace("\r", ""), validate=True)
            except (binascii.Error, ValueError):
                return b"t" + self._value.encode("utf-8", "surrogatepass")
        return b"v" + msgspec.json.encode(self._value, order="deterministic")
