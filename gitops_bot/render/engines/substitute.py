"""``$ARGOCD_APP_…`` in an Application's source: the build environment and its substitution."""

from __future__ import annotations

import re
from collections.abc import Mapping

_VARIABLE = re.compile(r"\$(?:\{([^}]*)\}|([*#$@!?\-0-9])|([A-Za-z_][A-Za-z0-9_]*)|(\{))")


def build_environment(
    *, app_name: str, namespace: str, project: str, revision: str, repo_url: str, path: str, target_revision: str
) -> dict[str, str]:
    """The variables of Argo CD's build environment (application-semantics §2.15), without the cluster's own."""
    return {
        "ARGOCD_APP_NAME": app_name,
        "ARGOCD_APP_NAMESPACE": namespace,
        "ARGOCD_APP_PROJECT_NAME": project,
        "ARGOCD_APP_REVISION": revision,
        "ARGOCD_APP_REVISION_SHORT": revision[:7],
        "ARGOCD_APP_REVISION_SHORT_8": revision[:8],
        "ARGOCD_APP_SOURCE_REPO_URL": repo_url,
        "ARGOCD_APP_SOURCE_PATH": path,
        "ARGOCD_APP_SOURCE_TARGET_REVISION": target_revision,
    }


def substitute(text: str, environment: Mapping[str, str]) -> str:
    """The text with ``$NAME`` and ``${NAME}`` replaced as Go's ``os.Expand`` does for Argo CD.

    An unknown variable becomes empty, ``$$`` a dollar; a dollar before anything else stays, an unclosed ``${`` goes.
    """

    def value(found: re.Match[str]) -> str:
        braced, special, name, _unclosed = found.groups()
        wanted = braced if braced is not None else special or name or ""
        return "$" if wanted == "$" else environment.get(wanted, "")

    return _VARIABLE.sub(value, text) if "$" in text else text
