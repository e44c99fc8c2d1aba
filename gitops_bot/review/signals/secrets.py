"""Values of Secrets that stand in Git for all to read. No value, and nothing about one, ever leaves this module."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

from gitops_bot.model.signal import Signal
from gitops_bot.review.signals.edit import Edit
from gitops_bot.review.signals.values import mapping, text
from gitops_bot.review.signals.words import listed

_EMPTY = frozenset(("", "{}", "[]", "null", '""', '{"auths":{}}'))
_PLACEHOLDER = re.compile(
    r"""
      <[^<>]*> | \$\{[^{}]*\} | \$\([^()]*\) | \$[A-Za-z_]\w* | \{\{.*\}\} | %%?[A-Za-z_]\w*%?%
    | [x*.?_-]{3,} | ENC\[.*
    | (?:please[ _-]?)?(?:change|replace|set|fill)[ _-]?(?:me|it|this|in)?(?:[ _-]?(?:please|later|now))?
    | (?:to[ _-]?do|tbd|placeholder|redacted|dummy|example|your[\w -]*|my[ _-](?:password|secret|token))
    | (?:ref\+\w+:|vault:|>>vault:|op:|secretref\+|avp:|arn:aws:(?:secretsmanager|ssm):).*
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL | re.ASCII,
)
"""A word or reference that stands for a value that is put in later: by hand, by the Argo CD Vault plugin
(``<path:…>``), by substitution, by vals, by Vault's webhook, by 1Password; ``ENC[`` is what SOPS writes."""
_VAULT_PATH = re.compile(r"<path:[^<>]{1,500}>")
_LONGEST_PLACEHOLDER = 1_000
_PUBLIC = ("-----BEGIN CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----", "-----BEGIN X509 CRL-----")


def plaintext_secrets(edit: Edit) -> Iterator[Signal]:
    """Raise a Secret that now has keys with readable values, and had none there.

    Silent for empty values, placeholders, what SOPS encrypted, and certificates, which are public. The message names
    keys only.
    """
    if edit.type != ("", "Secret") or edit.removed or edit.after.get("type") == "kubernetes.io/service-account-token":
        return
    new = _readable(edit.after)
    if new:
        new -= _readable(edit.before)
    if new:
        keys = "key" if len(new) == 1 else "keys"
        yield edit.signal("plaintext-secret", f"in plain text: the {keys} {listed(new)}", path="data")


def _readable(body: dict[str, Any]) -> set[str]:
    """The keys whose values can be read; ``stringData`` wins over ``data``, as in the API server."""
    values = {**mapping(body.get("data")), **mapping(body.get("stringData"))}
    plain = mapping(body.get("stringData"))
    return {key for key, value in values.items() if _is_readable(value, encoded=key not in plain)}


def _is_readable(value: Any, *, encoded: bool) -> bool:
    if value is None or isinstance(value, (dict, list, tuple)):
        return False
    written = text(value) if isinstance(value, str) else "a number or truth value"
    return not (_stands_in(written) or (encoded and _stands_in(_decoded(written))))


def _stands_in(value: str) -> bool:
    """Whether a text is empty, public, or in place of a value."""
    value = value.strip()
    if value in _EMPTY or value.startswith("ENC["):
        return True
    if value.startswith(_PUBLIC):
        return "PRIVATE" not in value
    if len(value) > _LONGEST_PLACEHOLDER:
        return False
    return bool(_PLACEHOLDER.fullmatch(value) or _VAULT_PATH.search(value))


def _decoded(value: str) -> str:
    """The text that base64 holds; the value itself where it is none."""
    try:
        return base64.b64decode("".join(value.split()), validate=True).decode()
    except (binascii.Error, ValueError):
        return value
