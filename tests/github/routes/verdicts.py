"""What is said of a commit: statuses, check runs, deployments."""

from __future__ import annotations

from typing import Any

from tests.github.exchange import Answer, Refusal, invalid
from tests.github.routes.accounts import user
from tests.github.routes.apps import integration
from tests.github.routes.commits import resolved
from tests.github.routes.repositories import api_url, minimal, page_url
from tests.github.routing import Call, route

_STATES = ("error", "failure", "pending", "success")
_MOST_STATUSES = 1000
_LONGEST_DESCRIPTION = 140
_LONGEST_OUTPUT = 65_535
_MOST_ANNOTATIONS = 50

# -- statuses ----------------------------------------------------------------------------------------------------------


def _status(call: Call, one: dict[str, Any], *, whole: bool = True) -> dict[str, Any]:
    account = call.state.account(one["login"])
    made = {
        "url": f"{api_url(call, call.repository)}/statuses/{one['sha']}", "id": one["id"], "node_id": f"SC_{one['id']}",
        "avatar_url": f"{call.state.server_url}/avatars/{account.id}", "state": one["state"],
        "description": one["description"], "target_url": one["target_url"], "context": one["context"],
        "created_at": one["created_at"], "updated_at": one["created_at"],
    }  # fmt: skip
    return {**made, "creator": user(call, account)} if whole else made


@route("POST", "/repos/{owner}/{repo}/statuses/{sha}", "statuses:write")
def create_status(call: Call) -> Answer:
    """Say something of a commit."""
    sha, asked = call.parameters["sha"], call.body()
    if call.repository.git.kind(sha) != "commit":
        raise Refusal(422, f"No commit found for SHA: {sha}")
    if call.required("Status", "state") not in _STATES:
        raise invalid("Status", "state", "invalid")
    if len(asked.get("description") or "") > _LONGEST_DESCRIPTION:
        message = f"description is too long (maximum is {_LONGEST_DESCRIPTION} characters)"
        raise invalid("Status", "description", "custom", message)
    context = asked.get("context") or "default"
    known = call.repository.statuses.setdefault(sha, [])
    if sum(one["context"] == context for one in known) >= _MOST_STATUSES:
        raise invalid("Status", "base", "custom", "This SHA and context has reached the maximum number of statuses.")
    made = {
        "id": call.state.new_id(), "sha": sha, "state": asked["state"], "description": asked.get("description"),
        "target_url": asked.get("target_url"), "context": context, "created_at": call.state.now(),
        "login": call.caller.login,
    }  # fmt: skip
    known.append(made)
    call.state.event("status", "", call.repository, sha=sha, state=made["state"], context=context)
    return Answer(201, _status(call, made))


@route("GET", "/repos/{owner}/{repo}/statuses/{sha}", "statuses:read")
@route("GET", "/repos/{owner}/{repo}/commits/{ref}/statuses", "statuses:read")
def statuses(call: Call) -> Answer:
    """Everything said of a commit, newest first; PyGithub asks by the older path."""
    revision = call.parameters.get("ref") or call.parameters["sha"]
    known = call.repository.statuses.get(resolved(call, revision), [])
    items, headers = call.page(known[::-1])
    return Answer(200, [_status(call, one) for one in items], headers)


@route("GET", "/repos/{owner}/{repo}/commits/{ref}/status", "statuses:read")
def combined(call: Call) -> Answer:
    """The newest of each context, and what they say together."""
    sha = resolved(call, call.parameters["ref"])
    newest = {one["context"]: one for one in call.repository.statuses.get(sha, [])}
    states = {one["state"] for one in newest.values()}
    state = (
        "failure" if states & {"error", "failure"} else "pending" if "pending" in states or not states else "success"
    )
    items, headers = call.page([newest[name] for name in sorted(newest)])
    url = api_url(call, call.repository)
    body = {
        "state": state, "statuses": [_status(call, one, whole=False) for one in items], "sha": sha,
        "total_count": len(newest), "repository": minimal(call, call.repository), "commit_url": f"{url}/commits/{sha}",
        "url": f"{url}/commits/{sha}/status",
    }  # fmt: skip
    return Answer(200, body, headers)


# -- check runs --------------------------------------------------------------------------------------------------------


def _check_run(call: Call, one: dict[str, Any]) -> dict[str, Any]:
    url = f"{api_url(call, call.repository)}/check-runs/{one['id']}"
    page = f"{page_url(call.repository)}/runs/{one['id']}"
    output = one["output"]
    return {
        "id": one["id"], "name": one["name"], "node_id": f"CR_{one['id']}", "head_sha": one["head_sha"],
        "external_id": one["external_id"], "url": url, "html_url": page, "details_url": one["details_url"] or page,
        "status": one["status"], "conclusion": one["conclusion"], "started_at": one["started_at"],
        "completed_at": one["completed_at"],
        "output": {
            "title": output.get("title"), "summary": output.get("summary"), "text": output.get("text"),
            "annotations_count": len(one["annotations"]), "annotations_url": f"{url}/annotations",
        },
        "check_suite": {"id": one["suite"]}, "app": integration(call, one["app"]), "pull_requests": [],
    }  # fmt: skip


def _app(call: Call) -> str:
    if not call.caller.is_app:
        raise Refusal(403, "You must authenticate via a GitHub App.")
    return call.caller.app


def _take_output(call: Call, run: dict[str, Any]) -> None:
    output = call.body().get("output")
    if output is None:
        return
    for name in ("summary", "text"):
        if len(output.get(name) or "") > _LONGEST_OUTPUT:
            raise Refusal(422, f"Only {_LONGEST_OUTPUT} characters are allowed; {len(output[name])} were supplied.")
    annotations = output.get("annotations") or []
    if len(annotations) > _MOST_ANNOTATIONS:
        raise Refusal(422, f"No more than {_MOST_ANNOTATIONS} items are allowed; {len(annotations)} were supplied.")
    run["annotations"] += annotations
    run["output"] = {**run["output"], **{name: output[name] for name in ("title", "summary", "text") if name in output}}


def _take(call: Call, run: dict[str, Any]) -> None:
    asked = call.body()
    _take_output(call, run)
    for name in ("name", "details_url", "external_id", "status", "started_at", "completed_at"):
        run[name] = asked.get(name, run[name])
    if asked.get("conclusion"):
        run["conclusion"], run["status"] = asked["conclusion"], "completed"
        run["completed_at"] = asked.get("completed_at") or call.state.now()
    elif run["status"] == "completed" and run["conclusion"] is None:
        raise Refusal(422, "Invalid request.\n\nconclusion is required when status is completed.")


@route("POST", "/repos/{owner}/{repo}/check-runs", "checks:write")
def create_check_run(call: Call) -> Answer:
    """Begin a check run; for apps only, and GitHub Actions is one."""
    app = _app(call)
    sha, name = call.required("CheckRun", "head_sha"), call.required("CheckRun", "name")
    if call.repository.git.kind(sha) != "commit":
        raise Refusal(422, f"No commit found for SHA: {sha}")
    run = {
        "id": call.state.new_id(), "suite": call.state.new_id(), "name": name, "head_sha": sha, "app": app,
        "external_id": "", "details_url": None, "status": "queued", "conclusion": None,
        "started_at": call.state.now(), "completed_at": None, "output": {}, "annotations": [],
    }  # fmt: skip
    _take(call, run)
    call.repository.check_runs[run["id"]] = run
    call.state.event("check_run", "created", call.repository, name=name, head_sha=sha)
    return Answer(201, _check_run(call, run))


def _run(call: Call) -> dict[str, Any]:
    found = call.repository.check_runs.get(call.number("check_run_id"))
    if found is None:
        raise Refusal(404, "Not Found")
    return found


@route("PATCH", "/repos/{owner}/{repo}/check-runs/{check_run_id}", "checks:write")
def update_check_run(call: Call) -> Answer:
    """Go on with a check run of the same app."""
    run = _run(call)
    if _app(call) != run["app"]:
        raise Refusal(
            403, "Invalid app_id `" + str(run["app"]) + "` - check run can only be modified by the app that created it."
        )
    _take(call, run)
    return Answer(200, _check_run(call, run))


@route("GET", "/repos/{owner}/{repo}/check-runs/{check_run_id}", "checks:read")
def get_check_run(call: Call) -> Answer:
    """One check run."""
    return Answer(200, _check_run(call, _run(call)))


@route("GET", "/repos/{owner}/{repo}/commits/{ref}/check-runs", "checks:read")
def check_runs(call: Call) -> Answer:
    """The check runs of a commit: the newest of each name unless all are asked for."""
    sha, asked = resolved(call, call.parameters["ref"]), call.request.query
    found = [one for _, one in sorted(call.repository.check_runs.items()) if one["head_sha"] == sha]
    if asked.get("filter", "latest") == "latest":
        found = list({(one["app"], one["name"]): one for one in found}.values())
    found = [
        one for one in found
        if asked.get("check_name", one["name"]) == one["name"] and asked.get("status", one["status"]) == one["status"]
    ]  # fmt: skip
    items, headers = call.page(found)
    return Answer(200, {"total_count": len(found), "check_runs": [_check_run(call, one) for one in items]}, headers)


# -- deployments -------------------------------------------------------------------------------------------------------


def _deployment(call: Call, one: dict[str, Any]) -> dict[str, Any]:
    url = f"{api_url(call, call.repository)}/deployments/{one['id']}"
    return {
        "url": url, "id": one["id"], "node_id": f"DE_{one['id']}", "sha": one["sha"], "ref": one["ref"],
        "task": one["task"], "payload": one["payload"], "original_environment": one["environment"],
        "environment": one["environment"], "description": one["description"],
        "creator": user(call, call.state.account(one["login"])), "created_at": one["created_at"],
        "updated_at": one["updated_at"], "statuses_url": f"{url}/statuses",
        "repository_url": api_url(call, call.repository), "transient_environment": one["transient"],
        "production_environment": one["production"],
        "performed_via_github_app": integration(call, one["app"]) if one["app"] else None,
    }  # fmt: skip


def _contexts_fail(call: Call, sha: str, required: list[str] | None) -> list[dict[str, str]]:
    newest = {one["context"]: one["state"] for one in call.repository.statuses.get(sha, [])}
    wanted = list(newest) if required is None else required
    return [{"context": name, "state": newest.get(name, "pending")} for name in wanted if newest.get(name) != "success"]


@route("POST", "/repos/{owner}/{repo}/deployments", "deployments:write")
def create_deployment(call: Call) -> Answer:
    """Announce a deployment; 409 when required contexts have not succeeded, or the ref is behind and may be merged."""
    asked, repository = call.body(), call.repository
    ref = call.required("Deployment", "ref")
    sha = resolved(call, ref)
    failing = _contexts_fail(call, sha, asked.get("required_contexts"))
    if failing:
        error = {"contexts": failing, "resource": "Deployment", "field": "required_contexts", "code": "invalid"}
        raise Refusal(409, f"Conflict: Commit status checks failed for {ref}.", [error])
    base = repository.head(repository.default_branch)
    if (
        asked.get("auto_merge", True)
        and f"refs/heads/{ref}" in repository.git.refs()
        and repository.git.between(sha, base)
    ):
        return Answer(202, {"message": f"Auto-merged {repository.default_branch} into {ref} on deployment."})
    environment = asked.get("environment") or "production"
    now = call.state.now()
    made = {
        "id": call.state.new_id(), "sha": sha, "ref": ref, "task": asked.get("task") or "deploy",
        "payload": asked.get("payload") or {}, "environment": environment, "description": asked.get("description"),
        "login": call.caller.login, "app": call.caller.app, "created_at": now, "updated_at": now, "statuses": [],
        "transient": bool(asked.get("transient_environment")),
        "production": asked.get("production_environment", environment == "production"),
    }  # fmt: skip
    repository.deployments[made["id"]] = made
    call.state.event("deployment", "created", repository, id=made["id"], environment=environment, sha=sha)
    return Answer(201, _deployment(call, made))


@route("GET", "/repos/{owner}/{repo}/deployments", "deployments:read")
def deployments(call: Call) -> Answer:
    """Deployments by sha, ref, task, environment; newest first."""
    asked = call.request.query
    found = [
        one for _, one in sorted(call.repository.deployments.items(), reverse=True)
        if all(asked.get(name, one[name]) in (one[name], "none") for name in ("sha", "ref", "task", "environment"))
    ]  # fmt: skip
    items, headers = call.page(found)
    return Answer(200, [_deployment(call, one) for one in items], headers)


def _found(call: Call) -> dict[str, Any]:
    found = call.repository.deployments.get(call.number("deployment_id"))
    if found is None:
        raise Refusal(404, "Not Found")
    return found


@route("GET", "/repos/{owner}/{repo}/deployments/{deployment_id}", "deployments:read")
def get_deployment(call: Call) -> Answer:
    """One deployment."""
    return Answer(200, _deployment(call, _found(call)))


def _deployment_status(call: Call, deployment: dict[str, Any], one: dict[str, Any]) -> dict[str, Any]:
    url = f"{api_url(call, call.repository)}/deployments/{deployment['id']}"
    return {
        "url": f"{url}/statuses/{one['id']}", "id": one["id"], "node_id": f"DES_{one['id']}", "state": one["state"],
        "creator": user(call, call.state.account(one["login"])), "description": one["description"],
        "environment": one["environment"], "target_url": one["log_url"], "created_at": one["created_at"],
        "updated_at": one["created_at"], "deployment_url": url, "repository_url": api_url(call, call.repository),
        "environment_url": one["environment_url"], "log_url": one["log_url"],
        "performed_via_github_app": integration(call, one["app"]) if one["app"] else None,
    }  # fmt: skip


@route("POST", "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses", "deployments:write")
def create_deployment_status(call: Call) -> Answer:
    """Say how a deployment goes; a success retires older ones of the environment, unless told not to."""
    deployment, asked = _found(call), call.body()
    state = call.required("DeploymentStatus", "state")
    if state not in (*_STATES, "inactive", "in_progress", "queued"):
        raise invalid("DeploymentStatus", "state", "invalid")
    if len(asked.get("description") or "") > _LONGEST_DESCRIPTION:
        message = f"description is too long (maximum is {_LONGEST_DESCRIPTION} characters)"
        raise invalid("DeploymentStatus", "description", "custom", message)
    made = {
        "id": call.state.new_id(), "state": state, "login": call.caller.login, "app": call.caller.app,
        "description": asked.get("description", ""), "environment": asked.get("environment") or deployment["environment"],
        "log_url": asked.get("log_url") or asked.get("target_url") or "",
        "environment_url": asked.get("environment_url") or "", "created_at": call.state.now(),
    }  # fmt: skip
    deployment["statuses"].append(made)
    if state == "success" and asked.get("auto_inactive", True) and not deployment["transient"]:
        _retire(call, deployment)
    call.state.event("deployment_status", "created", call.repository, id=deployment["id"], state=state)
    return Answer(201, _deployment_status(call, deployment, made))


def _retire(call: Call, newest: dict[str, Any]) -> None:
    for one in call.repository.deployments.values():
        older = one["id"] < newest["id"] and one["environment"] == newest["environment"] and not one["production"]
        if older and one["statuses"] and one["statuses"][-1]["state"] == "success":
            one["statuses"].append({**one["statuses"][-1], "id": call.state.new_id(), "state": "inactive"})


@route("GET", "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses", "deployments:read")
def deployment_statuses(call: Call) -> Answer:
    """How a deployment went, newest first."""
    deployment = _found(call)
    items, headers = call.page(deployment["statuses"][::-1])
    return Answer(200, [_deployment_status(call, deployment, one) for one in items], headers)
