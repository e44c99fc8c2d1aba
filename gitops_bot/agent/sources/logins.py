"""Which login opens which repository, from the Secrets that Argo CD's users write. Pure.

Fields, labels and the order of choice are Argo CD's (``argocd.argoproj.io/secret-type: repository | repo-creds``).
Ours: a prefix counts by whole parts of the path, what would make a connection unsafe is refused by name instead of
obeyed, and a Secret that names a project opens nothing for Applications of others.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeVar

import msgspec

from gitops_bot.model import url as urls

SECRET_TYPE = "argocd.argoproj.io/secret-type"
SELECTOR = f"{SECRET_TYPE} in (repository,repo-creds)"
KNOWN_HOSTS = "argocd-ssh-known-hosts-cm"
"""The ConfigMap, and below it its key."""
AUTHORITIES = "argocd-tls-certs-cm"
"""The ConfigMap with certificates of hosts and of those who sign them (Argo CD's): keys are hosts, values PEM."""
KNOWN_HOSTS_KEY = "ssh_known_hosts"
USER = "x-access-token"
"""Who a token is sent as where nobody is named: GitHub wants this one, other hosts take any."""
_TOKEN = re.compile(r"[!-~]+")
_UNSAFE = {
    "insecure": ("asks that TLS certificates and host keys are not checked (insecure)",
                 "put the host's CA into argocd-tls-certs-cm, or its key in the known hosts, and remove `insecure`"),
    "insecureIgnoreHostKey": ("asks that host keys are not checked (insecureIgnoreHostKey)",
                              "add the host's key to the known hosts, and remove `insecureIgnoreHostKey`"),
    "insecureOCIForceHttp": ("asks for a registry without TLS (insecureOCIForceHttp)", "serve it over TLS"),
    "useAzureWorkloadIdentity": ("logs in as an Azure workload (useAzureWorkloadIdentity), which this agent cannot",
                                 "give it a token"),
}  # fmt: skip
"""Flags that are refused when they are ``true``: what is wrong, and what to do."""
_UNKNOWN_WAYS = {
    "proxy": ("names a proxy of its own", "set HTTPS_PROXY and NO_PROXY of the agent, and remove `proxy`"),
    "tlsClientCertData": ("logs in by a client certificate, which this agent cannot", "give it a token or an SSH key"),
    "gcpServiceAccountKey": ("logs in as a Google service account, which this agent cannot", "give it a token"),
}
"""Fields that are refused when they hold something."""


class GitHubApp(msgspec.Struct, frozen=True, kw_only=True):
    """A GitHub App whose tokens open repositories."""

    app_id: str
    installation_id: int | None
    """None: looked up for the repository."""
    private_key: str
    api_url: str

    def __repr__(self) -> str:
        return f"GitHubApp({self.app_id})"


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """What opens one place. Never printed: ``repr`` names the place only."""

    place: str
    """URL as ``place_of`` writes it."""
    below: bool = False
    """Whether it opens what is below the place, too."""
    project: str = ""
    """The only AppProject whose Applications may use it, ``""`` for all."""
    source: str = ""
    """Where it is from, for messages: ``Secret github``."""
    header: str = ""
    """The value of ``Authorization``."""
    key: str = ""
    """Private SSH key."""
    app: GitHubApp | None = None
    refused: str = ""
    """Why it is not used, with the next step."""

    def __repr__(self) -> str:
        return f"Login({self.place})"


class Opens(Protocol):
    """What a login is chosen by."""

    @property
    def place(self) -> str: ...
    @property
    def below(self) -> bool: ...
    @property
    def project(self) -> str: ...
    @property
    def source(self) -> str: ...


_Opens = TypeVar("_Opens", bound=Opens)


def place_of(url: str, *, registry: bool = False) -> str:
    """One spelling for a place, by Argo CD's NormalizeGitURL; of a registry without its scheme, too.

    ``registry`` says that a URL without a scheme is one of OCI's.
    """
    text = url.strip()
    return urls.normalise_git(f"oci://{text}" if registry and "://" not in text else text)


def find(logins: Iterable[_Opens], place: str, project: str) -> _Opens | None:
    """The login for a place (``place_of``) and an Application's project, None for none.

    Argo CD's rule: the repository's own, the project's before everybody's; else the longest prefix.
    """
    usable = [each for each in logins if each.project in ("", project)]
    own = [each for each in usable if not each.below and each.place == place]
    above = [each for each in usable if each.below and (place == each.place or place.startswith(f"{each.place}/"))]
    for found in (own, above):
        if found:
            return max(found, key=lambda each: (len(each.place), bool(each.project), each.source))
    return None


def read(secret: Mapping[str, Any]) -> tuple[Login | None, str]:
    """The login of a Secret, and what is wrong with it, without anything of its content.

    None without a problem is a repository that needs no login, or a Secret that is none of ours.
    """
    metadata = secret["metadata"]
    kind = (metadata.get("labels") or {}).get(SECRET_TYPE)
    name = f"Secret {metadata['name']}"
    if kind not in ("repository", "repo-creds"):
        return None, ""
    fields, unreadable = _fields(secret.get("data") or {})
    if unreadable:
        return None, f"{name}: {', '.join(unreadable)}: not readable as text; write it anew"
    registry = fields.get("type") == "oci" or fields.get("enableOCI") == "true"
    place, problem = _place(fields.get("url", ""), registry=registry)
    if problem:
        return None, f"{name}: its url {problem}; correct it"
    made = Login(place=place, below=kind == "repo-creds", project=fields.get("project", ""), source=name)
    refusal = _refusal(fields)
    if refusal:
        refused = f"{name} {refusal}"
        return msgspec.structs.replace(made, refused=refused), refused
    login, problem = _with_what(made, fields)
    if problem:
        refused = f"{name} {problem}"
        return msgspec.structs.replace(made, refused=refused), refused
    return login, ""


def basic(username: str, password: str) -> str:
    """The header of a name and a password or token."""
    return "Basic " + base64.b64encode(f"{username or USER}:{password}".encode()).decode()


def _fields(data: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """The fields as text, and the names of those that are none."""
    found, unreadable = {}, []
    for name, value in sorted(data.items()):
        try:
            found[name] = base64.b64decode(value, validate=True).decode().strip("\r\n")
        except (binascii.Error, ValueError, TypeError):
            unreadable.append(re.sub(r"[^A-Za-z0-9_.-]", "?", name)[:60])
    return found, unreadable


def _place(url: str, *, registry: bool) -> tuple[str, str]:
    text = url.strip()
    if not text:
        return "", "is missing"
    try:
        urls.parse(f"oci://{text}") if registry and "://" not in text else urls.parse_git(text)
    except ValueError as error:
        return "", f"cannot be used: {error}"
    return place_of(text, registry=registry), ""


def _refusal(fields: Mapping[str, str]) -> str:
    for field, (what, hint) in _UNSAFE.items():
        if fields.get(field, "").lower() == "true":
            return f"{what}; {hint}"
    for field, (what, hint) in _UNKNOWN_WAYS.items():
        if fields.get(field):
            return f"{what}; {hint}"
    return ""


def _with_what(made: Login, fields: Mapping[str, str]) -> tuple[Login | None, str]:
    """The login with what opens it, None where there is nothing; and what is wrong."""
    by_ssh = "://" not in made.place
    password, bearer, key = (fields.get(name, "") for name in ("password", "bearerToken", "sshPrivateKey"))
    if password or bearer:
        if by_ssh:
            return None, "has a password for an SSH URL; give it sshPrivateKey, or an https URL"
        if bearer and not _TOKEN.fullmatch(bearer):
            return None, "has a bearerToken that is no token; it may have printable ASCII characters only"
        if ":" in fields.get("username", ""):
            return None, "has a username with a colon, which basic authentication cannot send; correct it"
        header = f"Bearer {bearer}" if bearer else basic(fields.get("username", ""), password)
        return msgspec.structs.replace(made, header=header), ""
    if key:
        if not by_ssh:
            return None, "has an SSH key for an https URL; write the url as git@HOST:OWNER/NAME.git"
        return msgspec.structs.replace(made, key=key), ""
    if fields.get("githubAppID") or fields.get("githubAppPrivateKey"):
        app, problem = _app(made, fields)
        return (msgspec.structs.replace(made, app=app) if app is not None else None), problem
    return None, ""


def _app(made: Login, fields: Mapping[str, str]) -> tuple[GitHubApp | None, str]:
    if not (fields.get("githubAppID") and fields.get("githubAppPrivateKey")):
        return None, "is not whole; a GitHub App needs githubAppID and githubAppPrivateKey"
    installation = fields.get("githubAppInstallationID", "")
    if installation and not (installation.isascii() and installation.isdigit()):
        return None, "has a githubAppInstallationID that is no number; correct it"
    if "://" not in made.place:
        return None, "has a GitHub App for an SSH URL; write the url with https://"
    base = fields.get("githubAppEnterpriseBaseUrl", "").strip().rstrip("/")
    api = base or _api_of(made.place)
    try:
        urls.parse(api)
    except ValueError as error:
        return None, f"has a githubAppEnterpriseBaseUrl that cannot be used: {error}; correct it"
    return GitHubApp(
        app_id=fields["githubAppID"],
        installation_id=int(installation) if installation else None,
        private_key=fields["githubAppPrivateKey"],
        api_url=api,
    ), ""


def _api_of(place: str) -> str:
    """The API beside a place; an Enterprise Server has it below ``/api/v3``."""
    origin = urls.parse(place).origin
    return "https://api.github.com" if origin == "https://github.com" else f"{origin}/api/v3"
