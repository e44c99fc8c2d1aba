"""The renderer's side: how far a render reaches, with which logins, and what is kept of it."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from gitops_bot.agent.sources.logins import basic, place_of
from gitops_bot.agent.sources.reach import Offered, Places
from gitops_bot.agent.sources.renderer import Renderer
from gitops_bot.agent.sources.rendering import Define, Defined, Login, Render, Rendered
from gitops_bot.cli.agent.render import _helm, _tools
from gitops_bot.doors.process import Limits
from gitops_bot.errors import FetchError
from gitops_bot.render.prepared import Capabilities
from tests.canaries import Canaries, files_below
from tests.conftest import Checkout
from tests.servers import Server, asks_login, directory, git_http
from tests.sshd import SshHost

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}}}\n"


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Callable[[], Renderer]]:
    """Makes renderers, each with a cache of its own."""
    with ExitStack() as stack:

        def make() -> Renderer:
            directory = tmp_path / "cache" / str(len(list(tmp_path.glob("cache/*"))))
            directory.mkdir(parents=True)
            made = Renderer(directory, _tools, _helm(), Limits(seconds=60.0))
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def renderer(fresh: Callable[[], Renderer]) -> Renderer:
    return fresh()


def app(*sources: dict[str, Any], project: str = "default") -> dict[str, Any]:
    spec = {"project": project, "destination": {"namespace": "shop"}}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "shop"},
        "spec": {**spec, **({"source": sources[0]} if len(sources) == 1 else {"sources": list(sources)})},
    }


def render(
    renderer: Renderer,
    source: dict[str, Any],
    commit: str = "",
    *logins: Login,
    permitted: tuple[str, ...] = ("*",),
    **more: Any,
) -> Rendered:
    answer = renderer.answer(
        Render(
            application=app(source),
            commits=(commit,),
            capabilities=Capabilities(),
            logins=logins,
            permitted=permitted,
            **more,
        )
    )
    assert isinstance(answer, Rendered)
    return answer


def opens(url: str, *, below: bool = False, header: str = "", **more: Any) -> Login:
    return Login(place=place_of(url, registry=True), below=below, header=header or basic("ada", "s3cret"), **more)


@pytest.fixture
def origin(git_server: Server, repository: Callable[..., Checkout]) -> Checkout:
    made = repository({"app/config.yaml": CONFIG.format("one")}, name="served/origin")
    made.git("config", "uploadpack.allowFilter", "true")
    return made


def source(server: Server, path: str = "app", name: str = "origin") -> dict[str, Any]:
    return {"repoURL": f"{server.url}/git/{name}", "path": path}


def test_a_closed_repository_is_rendered_with_its_login(
    renderer: Renderer, git_server: Server, origin: Checkout, tmp_path: Path
) -> None:
    birds = Canaries()
    secret = birds.make("password")
    git_server.routes["/git/"] = asks_login(git_http(tmp_path / "served"), "ada", secret)
    commit = origin.git("rev-parse", "HEAD")
    assert "no access" in render(renderer, source(git_server), commit).error
    login = opens(f"{git_server.url}/git", below=True, header=basic("ada", secret))
    answer = render(renderer, source(git_server), commit, login)
    assert (answer.error, "name: one" in answer.manifests) == ("", True)
    birds.assert_silent({"answer": repr(answer), **files_below(tmp_path / "cache")})


def test_a_repository_behind_ssh_is_rendered(
    renderer: Renderer, ssh_host: SshHost, repository: Callable[..., Checkout], tmp_path: Path
) -> None:
    made = repository({"app/config.yaml": CONFIG.format("one")})
    url = ssh_host.url(made.path)
    login = Login(place=place_of(url), key=ssh_host.key, known_hosts=ssh_host.known_hosts)
    answer = render(renderer, {"repoURL": url, "path": "app"}, made.git("rev-parse", "HEAD"), login)
    assert (answer.error, "name: one" in answer.manifests) == ("", True)
    birds = Canaries()
    birds.values["key"] = ssh_host.key.splitlines()[2]
    birds.assert_silent(files_below(tmp_path / "cache"))


def test_a_login_that_is_refused_says_why(renderer: Renderer, git_server: Server, origin: Checkout) -> None:
    login = Login(place=place_of(f"{git_server.url}/git"), below=True, refused="Secret x asks for something unsafe")
    answer = render(renderer, source(git_server), origin.git("rev-parse", "HEAD"), login)
    assert "is not asked: Secret x asks for something unsafe" in answer.error
    assert git_server.seen == []


def test_a_base_elsewhere_is_fetched_and_opened_only_where_the_project_allows_it(
    renderer: Renderer, git_server: Server, origin: Checkout, repository: Callable[..., Checkout], tmp_path: Path,
    kustomize: str, fresh: Callable[[], Renderer],
) -> None:  # fmt: skip
    base = repository({"base/kustomization.yaml": "resources: [c.yaml]\n", "base/c.yaml": CONFIG.format("base")},
                      name="served/base")  # fmt: skip
    at = f"{git_server.url}/git/base"
    commit = origin.commit({
        "over/kustomization.yaml": f"resources:\n- {at}//base?ref={base.git('rev-parse', 'HEAD')}\n",
    })  # fmt: skip
    everything = (f"{git_server.url}/git/*",)
    assert "is not fetched" in render(renderer, source(git_server, "over"), commit).error
    assert "name: base" in render(renderer, source(git_server, "over"), commit, permitted=everything).manifests
    git_server.routes["/git/base/"] = asks_login(git_http(tmp_path / "served"), "ada", "s3cret")
    other = fresh()
    login = opens(f"{git_server.url}/git", below=True)
    git_server.seen.clear()
    answer = render(other, source(git_server, "over"), commit, login, permitted=(f"{git_server.url}/git/origin",))
    assert "no access" in answer.error
    assert [seen.path for seen in git_server.seen if "authorization" in seen.headers and "/base/" in seen.path] == []
    answer = render(other, source(git_server, "over"), commit, login, permitted=everything)
    assert (answer.error, "name: base" in answer.manifests) == ("", True)
    answer = render(other, source(git_server, "over"), commit, login, allow=())
    assert "not allowed" in answer.error


def test_a_chart_comes_with_the_login_of_its_repository(
    renderer: Renderer, server: Server, packed_charts: Path, tmp_path: Path
) -> None:
    server.routes["/charts/"] = asks_login(directory(packed_charts, "/charts"), "ada", "s3cret")
    chart = {"repoURL": f"{server.url}/charts", "chart": "app", "targetRevision": "1.0.0"}
    assert "HTTP 401" in render(renderer, chart).error
    answer = render(renderer, chart, "", opens(f"{server.url}/Charts/"))
    assert (answer.error, "it: 1.0.0" in answer.manifests) == ("", True)
    birds = Canaries()
    birds.values["password"] = "s3cret"
    birds.assert_silent(files_below(tmp_path / "cache"))


def test_a_chart_of_a_registry_comes_with_its_login(
    renderer: Renderer, oci_registry: str, other_server: Server
) -> None:
    """The registry asks for nothing, so only that it is reached is shown here; what is sent is below."""
    chart = {"repoURL": f"oci+http://{oci_registry}/team", "chart": "app", "targetRevision": "1.0.0"}
    answer = render(renderer, chart, "", opens(f"oci+http://{oci_registry}/team"))
    assert (answer.error, "it: 1.0.0" in answer.manifests) == ("", True)


def test_a_dependency_is_opened_only_where_the_project_allows_it(
    renderer: Renderer, git_server: Server, origin: Checkout, other_server: Server, packed_charts: Path
) -> None:
    other_server.routes["/charts/"] = asks_login(directory(packed_charts, "/charts"), "ada", "s3cret")
    commit = origin.commit({
        "chart/Chart.yaml": "apiVersion: v2\nname: own\nversion: 1.0.0\ndependencies:\n- name: app\n  version: 1.0.0\n"
        f"  repository: {other_server.url}/charts\n",
    })  # fmt: skip
    login = opens(f"{other_server.url}/charts", below=True)
    refused = render(
        renderer, source(git_server, "chart"), commit, login, permitted=(f"{git_server.url}/git/origin",)
    )  # fmt: skip
    assert "HTTP 401" in refused.error
    assert all("authorization" not in seen.headers for seen in other_server.seen)
    answer = render(renderer, source(git_server, "chart"), commit, login)
    assert (answer.error, "it: 1.0.0" in answer.manifests) == ("", True)


def test_what_one_projects_login_has_opened_is_not_there_for_others(
    renderer: Renderer, git_server: Server, origin: Checkout, tmp_path: Path
) -> None:
    git_server.routes["/git/"] = asks_login(git_http(tmp_path / "served"), "ada", "s3cret")
    commit = origin.git("rev-parse", "HEAD")
    login = opens(f"{git_server.url}/git/origin", project="team")
    assert render(renderer, source(git_server), commit, login).error == ""
    assert "no access" in render(renderer, source(git_server), commit).error


# -- what is fetched --------------------------------------------------------------------------------------------------


def test_only_what_the_sources_need_is_fetched(
    renderer: Renderer, git_server: Server, origin: Checkout, tmp_path: Path
) -> None:
    commit = origin.commit({
        "chart/Chart.yaml": "apiVersion: v2\nname: own\nversion: 1.0.0\n",
        "chart/values.yaml": "a: 1\n",
        "chart/templates/deep/er/config.yaml": CONFIG.format("{{ .Release.Name }}"),
        "chart/files/text": "x",
        "elsewhere/large": os.urandom(500_000),
        **{f"elsewhere/{number}.yaml": base64.b64encode(os.urandom(2000)) for number in range(100)},
    })  # fmt: skip
    answer = render(renderer, source(git_server, "chart"), commit)
    assert (answer.error, "name: shop" in answer.manifests) == ("", True)
    assert sum(path.endswith("git-upload-pack") for path in git_server.paths()) <= 6
    kept = sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert kept < 60_000


def test_definitions_are_looked_for_below_their_path_alone(
    renderer: Renderer, git_server: Server, origin: Checkout
) -> None:
    definition = (
        "apiVersion: argoproj.io/v1alpha1\nkind: {}\nmetadata: {{name: {}}}\nspec:\n  project: default\n"
        "  source: {{repoURL: https://git.example.org/x, path: x}}\n  destination: {{namespace: x}}\n"
    )
    commit = origin.commit({
        "argocd/project.yaml": definition.format("AppProject", "above"),
        "argocd/staging/app.yaml": definition.format("Application", "here"),
        "argocd/production/app.yaml": definition.format("Application", "other"),
        "argocd/production/broken.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: Application\n  metadata: [\n",
    })  # fmt: skip
    answer = renderer.answer(Define(url=f"{git_server.url}/git/origin", commit=commit, path="argocd/staging"))
    assert isinstance(answer, Defined)
    assert (answer.error, answer.problems) == ("", ())
    assert sorted(each.document["metadata"]["name"] for each in answer.definitions) == ["above", "here"]


APPLICATION_SET = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {{name: envs}}
spec:
  generators:
  - git: {{repoURL: {url}, revision: HEAD, directories: [{{path: 'envs/*'}}]}}
  template:
    metadata: {{name: '{{{{path.basename}}}}'}}
    spec:
      project: default
      source: {{repoURL: '{url}', path: '{{{{path}}}}'}}
      destination: {{namespace: x}}
"""


def test_an_application_set_may_read_another_repository(
    renderer: Renderer, git_server: Server, origin: Checkout, repository: Callable[..., Checkout]
) -> None:
    repository({"envs/staging/a.yaml": CONFIG.format("a"), "envs/qa/a.yaml": CONFIG.format("a")}, name="served/envs")
    definitions, at = f"{git_server.url}/git/origin", f"{git_server.url}/git/envs"

    def defined(commit: str, *logins: Login) -> tuple[tuple[str, ...], list[str]]:
        answer = renderer.answer(Define(url=definitions, commit=commit, logins=logins))
        assert isinstance(answer, Defined)
        return answer.problems, sorted(each.document["metadata"]["name"] for each in answer.definitions)

    commit = origin.commit({"set.yaml": APPLICATION_SET.format(url=at)})
    problems, names = defined(commit)
    assert (len(problems), names) == (1, [])
    assert "name it in the AppProject's sourceRepos, or give it a repository Secret" in problems[0]
    assert defined(commit, opens(at)) == ((), ["qa", "staging"])
    allowed = origin.commit({".gitops-bot.yaml": f"fetch: {{allow: ['{at}']}}\n"})
    assert defined(allowed) == ((), ["qa", "staging"])
    forbidden = origin.commit({".gitops-bot.yaml": "fetch: {allow: []}\n"})
    assert "fetch.allow" in defined(forbidden, opens(at))[0][0]


def test_a_damaged_cache_mends_itself(renderer: Renderer, git_server: Server, origin: Checkout, tmp_path: Path) -> None:
    commit = origin.git("rev-parse", "HEAD")
    good = render(renderer, source(git_server), commit)
    assert good.error == ""
    for pack in list((tmp_path / "cache").rglob("*.pack")):
        pack.chmod(0o644)
        content = bytearray(pack.read_bytes())
        content[len(content) // 2] ^= 0xFF
        pack.write_bytes(content)
    assert render(renderer, source(git_server), commit) == good
    for pack in list((tmp_path / "cache").rglob("*.pack")):
        pack.unlink()
    assert render(renderer, source(git_server), commit) == good
    for head in list((tmp_path / "cache").rglob("HEAD")):
        head.write_text("nonsense")
    assert render(renderer, source(git_server), commit) == good


# -- inside the network -----------------------------------------------------------------------------------------------


def resolve(host: str) -> list[str]:
    found = {"charts.corp.example.org": ["10.0.0.7"], "charts.example.org": ["93.184.215.14"],
             "both.example.org": ["93.184.215.14", "169.254.169.254"]}  # fmt: skip
    if host not in found:
        raise OSError(host)
    return found[host]


def places(*permitted: str, logins: tuple[Login, ...] = (), allow: tuple[str, ...] | None = None) -> Places:
    offered = Offered(logins, permitted or ("*",))
    return Places(["https://git.example.org/shop"], allow, offered, resolve)


@pytest.mark.parametrize(("url", "reason"), [
    ("https://charts.corp.example.org/x", "private address 10.0.0.7"),
    ("https://both.example.org/x", "private address 169.254.169.254"),
    ("http://charts.example.org/x", "not encrypted"),
    ("file:///etc/passwd", "fetch"), ("git://charts.example.org/x", "not fetched"), ("ext::sh", "fetch"),
])  # fmt: skip
def test_what_only_a_chart_names_is_not_fetched_inside_the_network(url: str, reason: str) -> None:
    with pytest.raises(FetchError, match=re.escape(reason)):
        places().require("chart", url)


@pytest.mark.parametrize("url", ["https://charts.example.org/x", "https://git.example.org/shop", "oci://charts.example.org/x",
                         "https://known-to-the-proxy.example.org/x"])  # fmt: skip
def test_what_is_outside_or_its_own_is_fetched(url: str) -> None:
    assert str(places().require("chart", url)) == url


def test_what_the_project_or_a_secret_names_is_fetched_inside_the_network() -> None:
    url = "https://charts.corp.example.org/x"
    assert str(places("https://charts.corp.example.org/*").require("chart", url)) == url
    assert str(places("*", logins=(opens(url),)).require("chart", url)) == url
    with pytest.raises(FetchError, match="private address"):
        places("*", "https://git.example.org/*").require("chart", url)
    assert str(places(allow=("https://charts.corp.example.org",)).require("chart", url)) == url
    with pytest.raises(FetchError, match="not allowed"):
        places(allow=()).require("chart", "https://charts.example.org/x")
