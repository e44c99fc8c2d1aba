"""The door to MLflow, against a real tracking server, and against one that misbehaves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gitops_bot.doors import http
from gitops_bot.doors.credentials import Credential, Credentials
from gitops_bot.doors.mlflow import Mlflow, MlflowError
from gitops_bot.errors import FetchError, UsageError
from gitops_bot.model import url as urls
from gitops_bot.writeback.bumps.models import from_registry
from tests.mlflow import Tracking
from tests.servers import Server, gives, redirects

QUICK = http.Limits(connect=2.0, idle=20.0, total=30.0, pause=0.01)


# -- a real server ----------------------------------------------------------------------------------------------------


@pytest.fixture
def client() -> Iterator[http.Client]:
    made = http.Client(limits=QUICK)
    yield made
    made.close()


@pytest.mark.mlflow
def test_an_alias_is_followed_to_everything_that_is_known(tracking: Tracking, client: http.Client) -> None:
    experiment = tracking.post("experiments/create", name="followed")["experiment_id"]
    commit = "4f2a9c1" + "0" * 33
    old = tracking.run(experiment, 0.83)
    new = tracking.run(experiment, 0.87, tags={"mlflow.source.git.commit": commit}, data="6f1ed002")
    tracking.post("registered-models/create", name="followed")
    for run in (old, new):
        tracking.post(
            "model-versions/create", name="followed", source=f"{run['artifact_uri']}/model", run_id=run["run_id"]
        )
    door = Mlflow(tracking.url, client)

    tracking.post("registered-models/alias", name="followed", alias="champion", version="1")
    assert door.by_alias("followed", "champion").version == "1"
    tracking.post("registered-models/alias", name="followed", alias="champion", version="2")
    found = door.by_alias("followed", "champion")

    assert (found.name, found.version, found.commit, found.data) == ("followed", "2", commit, "6f1ed002")
    assert found.path == f"{new['artifact_uri']}/model"
    assert found.metrics == {"auc": 0.87}
    assert found.run_url == f"{tracking.url}/#/experiments/{experiment}/runs/{new['run_id']}"
    assert found.page_url == f"{tracking.url}/#/models/followed/versions/2"
    assert door.by_version("followed", "1").metrics == {"auc": 0.83}
    request = from_registry(found)
    assert (request.version, request.path, request.data) == ("2", found.path, "6f1ed002")


@pytest.mark.mlflow
def test_a_version_says_itself_where_it_lies_and_what_it_was_trained_on(
    tracking: Tracking, client: http.Client
) -> None:
    tracking.post("registered-models/create", name="by hand")
    tags = [{"key": "data_version", "value": "sha256:ab"}]
    tracking.post("model-versions/create", name="by hand", source="s3://models/churn/v1.2.3/", tags=tags)
    found = Mlflow(f"{tracking.url}/", client).by_version("by hand", "1")
    assert (found.path, found.data, found.run_url, found.metrics) == ("s3://models/churn/v1.2.3/", "sha256:ab", "", {})
    assert found.page_url.endswith("/#/models/by%20hand/versions/1")


@pytest.mark.mlflow
@pytest.mark.parametrize(("name", "alias"), [("nobody", "champion"), ("known", "nobody")])
def test_what_the_server_does_not_know_is_said(tracking: Tracking, client: http.Client, name: str, alias: str) -> None:
    if name == "known":
        tracking.post("registered-models/create", name="known")
    with pytest.raises(MlflowError, match=f"knows no model with name {name}, alias {alias}") as caught:
        Mlflow(tracking.url, client).by_alias(name, alias)
    assert caught.value.exit_code == 3


# -- a server that misbehaves -----------------------------------------------------------------------------------------


def test_the_token_goes_to_the_server_and_nowhere_else(server: Server, other_server: Server) -> None:
    server.routes["/"] = redirects(f"{other_server.url}/api")
    bound = Credentials((Credential(urls.parse(server.url), "Bearer s3cret"),))
    with pytest.raises(FetchError) as caught:
        Mlflow(server.url, http.Client(bound, limits=QUICK)).by_alias("m", "a")
    assert server.seen[0].headers["authorization"] == "Bearer s3cret"
    assert other_server.seen == []
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"<html>login</html>", 200, "does not answer as an MLflow server"),
        (b'{"model_version": {"name": 3}}', 200, "does not answer as an MLflow server"),
        (b"{}", 401, "refuses access"),
        (b"<html>", 404, "knows no model"),
        (b"nothing", 418, "HTTP 418"),
    ],
)
def test_answers_of_something_else(server: Server, client: http.Client, body: bytes, status: int, says: str) -> None:
    server.routes["/"] = gives(body, status)
    with pytest.raises(MlflowError, match=says):
        Mlflow(server.url, client).by_alias("m", "a")


@pytest.mark.parametrize("uri", ["mlflow", "file:///mlruns", "https://user:s3cret@example.org", "s3://x/y", ""])
def test_only_urls_of_servers_are_taken(client: http.Client, uri: str) -> None:
    with pytest.raises(UsageError) as caught:
        Mlflow(uri, client)
    assert "s3cret" not in caught.value.message
