"""Whether a document can hold anything that is masked, from its bytes: rather yes than no.

Reading every value of a document for secrets costs as much as parsing it. Nearly all that is masked has a word in its
name, its kind or its value that stands in the text as it is, as long as the text escapes nothing.
"""

from __future__ import annotations

import re

_HINTS: tuple[bytes, ...] = (
    # what looks like a secret (``secret_text``), in lower case, the most frequent first
    b"://", b"$", b"-u", b"sk-", b"eyj", b"akia", b"asia", b"aiza", b"xox", b"shp", b"hv", b"sg.", b"hf_", b"sk_",
    b"rk_", b"pk_", b"npm_", b"glpat-", b"xapp-", b"pypi-", b"ya29.", b"dckr_", b"dop_v1_", b"github_pat_",
    b"ls0tls1crudjti", b"basic", b":5432:", b":6432:", b":*:", b"h4si",
    # names of secrets, and kinds and fields that hold them (``secret_names``, ``hidden``)
    b"pass", b"pwd", b"secret", b"token", b"cred", b"dsn", b"auth", b"salt", b"jwt", b"bearer", b"connection",
    b"webhook", b"stringdata", b"binarydata",
    # names of hashes
    b"sha", b"hash", b"checksum", b"md5", b"crc32",
)  # fmt: skip
_KEY = re.compile(
    rb"(?:access|account|api|app|auth|client|cookie|deploy|encrypt|encryption|hmac|licen[cs]e|master|private|session|shared"
    rb"|signing|ssh|unseal)[^a-z0-9]*key|keytab"
)
"""A *key* that is a secret, by the word before it; also of PEM."""
_GITHUB = re.compile(rb"gh[pousr]_")


def may_hide(document: bytes) -> bool:
    """Whether ``hidden.veil`` may find something in an object of a YAML document."""
    if b"\\" in document:
        return True  # escapes may write any word
    lower = document.lower()
    for hint in _HINTS:
        if hint in lower:
            return True
    key = b"key" in lower and _KEY.search(lower) is not None
    return key or (b"gh" in lower and _GITHUB.search(lower) is not None)
