"""Which names say that their value is a secret, and which values are none whatever their name is.

The rule is told to users in ``docs/reference/secrets.md``. It decides by whole words (``API_KEY``, ``apiKey`` and
``api-key`` are the words *api* and *key*), so that ``tokenizer`` is no token and ``monkey`` no key.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from typing import Any, Literal

Where = Literal["variable", "field", "note"]
"""What a name stands on: an environment variable, flag or setting; a field of an object; an annotation."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SEGMENTS = re.compile(r"[./\[\]:]+")
_STRONG = frozenset(
    ("password", "passwords", "passwd", "passphrase", "passcode", "pwd", "token", "tokens", "credential",
     "credentials", "creds", "apikey", "apikeys", "dsn", "jwt", "privatekey", "secretkey", "accesskey",
     "accesstoken", "clientsecret", "htpasswd", "authtoken", "dbpassword", "dbpass", "userpass", "keytab", "bearer",
     "pgpass")
)  # fmt: skip
_STRONG_ENDS = ("password", "passwd", "passphrase", "token", "apikey", "credentials")
"""``PGPASSWORD``, ``authtoken``: words that are written as one."""
_SECRET = frozenset(("secret", "secrets"))
_BEFORE_KEY = frozenset(
    ("access", "account", "api", "app", "auth", "client", "cookie", "deploy", "encrypt", "encryption", "hmac",
     "jwt", "licence", "license", "master", "private", "secret", "session", "shared", "signing", "ssh", "token",
     "unseal", "webhook")
)  # fmt: skip
"""What makes a *key* a secret one."""
_OPEN_LAST = frozenset(
    ("address", "addr", "age", "alg", "algorithm", "annotation", "annotations", "api", "attempts", "audience",
     "audiences", "authenticator", "backend", "bucket", "bytes", "cache", "chars", "claim", "class", "column",
     "controller", "count", "curve", "days", "delay", "dir", "directory", "disabled", "driver", "duration",
     "enable", "enabled", "encoding", "endpoint", "endpoints", "engine", "expiration", "expiry", "expires", "field",
     "file", "filename", "files", "folder", "format", "generator", "group", "grant", "header", "host", "hours",
     "id", "ids", "image", "in", "injection", "interval", "issuer", "kind", "kubernetes", "label", "labels", "length",
     "lifetime", "limit", "limits", "location", "manager", "max", "method", "methods", "min", "minutes", "mode",
     "mount", "name", "names", "namespace", "namespaces", "operator", "optional", "owner", "param", "path", "paths",
     "period", "plugin", "policy", "port", "prefix", "projection", "property", "provider", "providers", "ref",
     "reference", "references", "refs", "refresh", "regex", "region", "renewal", "required", "retries", "review",
     "role", "rotation", "rounds", "scheme", "scope", "scopes", "seconds", "selector", "separator", "server",
     "service", "size", "source", "sources", "store", "strategy", "suffix", "supported", "tag", "template", "through",
     "timeout", "ttl", "type", "types", "uri", "url", "urls", "usage", "user", "username", "vault", "version",
     "volume", "window", "writer", "sync", "check", "rate", "rates", "budget", "per", "second", "stores",
     "threshold", "overlap", "cost", "price", "model", "mask", "validation", "reset")
)  # fmt: skip
"""A last word that says something *about* a secret: where it lies, how long it lives, what reads it."""
_REFERS = frozenset(
    ("admin", "auth", "backup", "basic", "bootstrap", "ca", "cert", "certificate", "certs", "config", "connection",
     "data", "database", "db", "existing", "external", "git", "image", "ingress", "keystore", "license", "mount",
     "postgres", "pull", "redis", "registry", "repo", "repository", "root", "server", "source", "ssh", "ssl", "storage",
     "target", "tls", "truststore", "user", "values", "volume")
)  # fmt: skip
"""``tlsSecret``, ``pullSecret``: fields that name a Secret rather than hold one, where the value can be a name."""
_OBJECT_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?(?:/[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)?")
REFERENCES = frozenset(
    ("name", "key", "namespace", "type", "kind", "source", "path", "file", "ref", "description")
)  # fmt: skip
"""Keys of a map that say where a value is, or what it is, instead of being one."""
_PLAIN_WORDS = frozenset(
    ("", "true", "false", "yes", "no", "on", "off", "none", "null", "nil", "~", "enabled", "disabled", "required",
     "optional", "always", "never")
)  # fmt: skip
_POINTER = re.compile(
    r"\$\([A-Za-z_][\w.-]*\)|\$\{[A-Za-z_][\w.-]*\}|\$[A-Z_][A-Z0-9_]*|\{\{[^{}\"'`]*\}\}"
    r"|\$[a-z][\w-]*(?:[.:][A-Za-z][\w-]*)+"
    r"|<path:[^>\s]+#[^>\s]+>|ref\+[a-z0-9]+://\S+|ENC\[AES256_GCM,[^\]]*\]"
)
"""Values that only say where the secret is, or that are encrypted."""
_FILE = re.compile(
    r"/(?:etc|var|run|tmp|mnt|opt|secrets?|home|root|usr|srv|data|config|app|vault|certs?|ssl|tls)/[\w./-]+"
)


@lru_cache(maxsize=16_384)
def words(name: str) -> tuple[str, ...]:
    """The lower-case words of a name's last segment: ``db.apiKey_2`` gives ``("api", "key", "2")``."""
    segments = [part for part in _SEGMENTS.split(name) if part]
    while len(segments) > 1 and segments[-1].lower() in ("value", "values", "data"):
        segments.pop()
    return tuple(word.lower() for word in _WORDS.findall(segments[-1])) if segments else ()


@lru_cache(maxsize=16_384)
def is_secret_name(name: str, where: Where = "field") -> bool:
    """Whether what stands under this name is a secret, unless ``is_open_value`` says otherwise."""
    found = words(name)
    while len(found) > 1 and found[-1].isdigit():
        found = found[:-1]
    if not found:
        return False
    if found[-2:] in (("secret", "id"), ("webhook", "url")) or found == ("auth",):
        return True
    if found[-1] in _OPEN_LAST or "public" in found:
        return False
    if where == "field" and found[-1] == "key" and found[-2:-1] and found[-2] in _STRONG:
        return False  # passwordKey: which key of a Secret it is
    if any(word in _STRONG or word.endswith(_STRONG_ENDS) for word in found) or found[-1] in (
        "pass",
        "passwort",
        "salt",
    ):
        return where != "note" or "inject" not in found
    keys = [at for at, word in enumerate(found) if word == "key" and at]
    if any(found[at - 1] in _BEFORE_KEY for at in keys):
        return True
    if where == "variable":
        return any(word in _SECRET or word.endswith("secret") for word in found) or found[-2:] == (
            "connection",
            "string",
        )
    return where == "field" and (found[-1] == "secret" or found[-2:] == ("connection", "string"))


def is_open_value(name: str, value: Any, where: Where = "field") -> bool:
    """Whether a value under a secret's name may be shown: nothing, a switch, a count, a pointer, a Secret's name."""
    if value is None or isinstance(value, bool):
        return True
    found = words(name)
    if isinstance(value, (int, float)):
        return not any(word.startswith(("pass", "pwd", "pin", "secret")) for word in found) and "token" not in found
    if not isinstance(value, str):
        return False
    text = value.strip()
    if text.lower() in _PLAIN_WORDS or _POINTER.fullmatch(text):
        return True
    if found == ("auth",):
        return not _is_basic_auth(text)
    if text.isdigit() and "tokens" in found:
        return True
    if found[-1:] in (("key",), ("pwd",), ("pgpass",)) and _FILE.fullmatch(text):
        return True
    if where == "field" and found[-1:] == ("secret",) and len(found) > 1:
        refers = found[-2] in _REFERS or any(word in _STRONG for word in found[:-1])
        return refers and bool(_OBJECT_NAME.fullmatch(text))
    return False


def is_reference_key(name: str) -> bool:
    """Whether a key of a map says that the map names where a value is: ``secretKeyRef``, ``name``, ``valueFrom``."""
    return name in REFERENCES or name.endswith(("Ref", "From", "Name", "Path"))


def _is_basic_auth(text: str) -> bool:
    """``auth`` of a registry's login is base64 of ``user:password``."""
    try:
        return b":" in base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False


# -- checksums ----------------------------------------------------------------------------------------------------

_HASHES = frozenset(("checksum", "checksums", "hash", "sha", "sha1", "sha256", "sha512", "md5", "crc32"))
_OF_PUBLIC = frozenset(
    ("artifact", "chart", "code", "commit", "docker", "git", "image", "model", "oci", "revision", "source", "template")
)
"""Words that make a hash one of something that is no secret, and worth reading."""
_DIGEST = re.compile(r"(?:sha\d+[:-]|md5:)?(?:[0-9a-fA-F]{7,128}|[A-Za-z0-9+/_-]{16,88}={0,2}|[0-9]{6,})")


@lru_cache(maxsize=16_384)
def is_checksum_name(name: str) -> bool:
    """Whether a name says that its value is a hash over configuration: ``checksum/…``, ``…/secret-hash``."""
    found = tuple(word.lower() for word in re.split(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])", name) if word)
    last = found[-1:] if found else ()
    if not any(word in _HASHES for word in found) or any(word in _OF_PUBLIC for word in found):
        return False
    return last[0] in _HASHES or "checksum" in found or "checksums" in found


def is_checksum(name: str, value: Any) -> bool:
    """Whether an annotation, label or variable is such a hash: by its name, and it looks like one."""
    return is_checksum_name(name) and isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def is_checksum_annotation(name: str, value: Any) -> bool:
    """The same for an annotation, where ``checksum/…`` is one whatever it looks like."""
    return name.startswith("checksum/") or is_checksum(name, value)
