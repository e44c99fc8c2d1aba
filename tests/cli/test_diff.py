"""``gitops-bot diff`` from end to end: real repositories, real helm and kustomize, the command as people call it."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gitops_bot.cli.main import run
from tests.conftest import Checkout

CHART: dict[str, str] = {
    "chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "chart/values.yaml": "replicas: 2\nimage: {repository: ghcr.io/acme/web, tag: v1}\n",
    "chart/templates/deployment.yaml": (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: {{ .Release.Name }}}\n"
        "spec:\n  replicas: {{ .Values.replicas }}\n  selector: {matchLabels: {app: web}}\n  template:\n"
        "    metadata: {labels: {app: web}}\n    spec:\n      containers:\n      - name: web\n"
        '        image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"\n'
    ),
}
URL = "https://github.com/acme/web"


def application(name: str = "web", path: str = "chart", extra: str = "", spec: str = "") -> str:
    return (
        f"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}}}\nspec:\n"
        f"  project: default\n  destination: {{namespace: {name}}}\n{spec}"
        f"  source:\n    repoURL: {URL}\n    path: {path}\n{extra}"
    )


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.out)
        return loaded


Diff = Callable[..., Ran]


@pytest.fixture
def diff(repository: Callable[..., Checkout], capfd: pytest.CaptureFixture[str], helm: str, kustomize: str) -> Diff:
    """Commit ``base``, then ``head`` on a branch, and compare them: JSON unless the options say otherwise."""

    def compare(base: Mapping[str, str | None], head: Mapping[str, str | None], *options: str) -> Ran:
        checkout = repository(base)
        checkout.git("remote", "add", "origin", URL)
        checkout.git("switch", "--quiet", "--create", "feature")
        checkout.commit(head)
        shown = () if "--format" in options else ("--format", "json")
        code = run(["diff", "--repo", str(checkout.path), "--base", "main", "--head", "feature", *shown, *options])
        captured = capfd.readouterr()
        assert "Traceback" not in captured.err
        return Ran(code, captured.out, captured.err)

    return compare


def statuses(ran: Ran) -> dict[str, str]:
    return {target["id"]: target["status"] for target in ran.report["targets"]}


def reasons(ran: Ran) -> dict[str, str]:
    return {entry["id"]: entry["reason"] for entry in ran.report["not_rendered"]}


def test_one_changed_value_is_one_changed_field(diff: Diff) -> None:
    base = {**CHART, "apps/web.yaml": application()}
    ran = diff(base, {"chart/values.yaml": CHART["chart/values.yaml"].replace("replicas: 2", "replicas: 3")})
    assert ran.code == 0
    (change,) = ran.report["changes"]
    assert (change["kind"], change["namespace"], change["name"]) == ("Deployment", "web", "web")
    assert change["fields"] == [{"path": "spec.replicas", "before": 2, "after": 3}]
    assert change["targets"] == ["apps/web.yaml#web"]
    assert ran.report["counts"] | {"added": 0, "changed": 1, "removed": 0} == ran.report["counts"]


def test_exit_code_tells_whether_anything_changes(diff: Diff) -> None:
    base = {**CHART, "apps/web.yaml": application()}
    assert diff(base, {"README.md": "hello\n"}, "--exit-code").code == 0


def test_exit_code_is_one_for_a_change(diff: Diff) -> None:
    base = {**CHART, "apps/web.yaml": application()}
    assert diff(base, {"chart/values.yaml": "replicas: 5\nimage: {repository: a, tag: b}\n"}, "--exit-code").code == 1


def test_a_target_that_nothing_touches_is_not_rendered(diff: Diff) -> None:
    broken = {"chart/templates/bad.yaml": '{{ fail "this would be noticed" }}'}
    ran = diff({**CHART, **broken, "apps/web.yaml": application()}, {"docs/a.md": "x"})
    assert (ran.code, statuses(ran)["apps/web.yaml#web"]) == (0, "unchanged")
    assert ran.report["counts"]["rendered"] == 0


def test_a_template_added_to_a_chart_of_the_repository_shows_in_every_application_of_it(diff: Diff) -> None:
    base = {**CHART, "apps/a.yaml": application("a"), "apps/b.yaml": application("b")}
    ran = diff(base, {"chart/templates/c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {k: v}\n"})
    assert ran.report["counts"]["added"] == 2


def test_a_broken_head_is_a_failure_and_no_mass_deletion(diff: Diff) -> None:
    base = {
        **CHART,
        "apps/web.yaml": application(),
        "ok/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
    }
    ran = diff(base, {"chart/templates/deployment.yaml": "{{ .Values.x.y.z }}",
                      "ok/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: v}\n"})  # fmt: skip
    assert ran.code == 3
    assert statuses(ran) == {"apps/web.yaml#web": "failed", "directory:apps": "unchanged", "directory:ok": "changed"}
    assert ran.report["counts"]["removed"] == 0
    assert "deployment.yaml" in reasons(ran)["apps/web.yaml#web"]


MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {k: %s}\n"
BROKEN = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata: {password: hunter2hunter2\n"


@pytest.mark.parametrize(("base", "head", "side"), [(MAP % ("b", 1), BROKEN, "head"), (BROKEN, MAP % ("b", 1), "base")])
def test_a_manifest_that_cannot_be_read_is_named_with_its_line(diff: Diff, base: str, head: str, side: str) -> None:
    before = {"ok/a.yaml": MAP % ("a", 1), "ok/b.yaml": f"# one\n{base}", "ok/c.yaml": MAP % ("c", 1)}
    ran = diff(before, {"ok/b.yaml": f"# one\n{head}"})
    assert (ran.code, statuses(ran)) == (3, {"directory:ok": "failed"})
    assert reasons(ran)["directory:ok"].startswith(
        f"{side} side: ok/b.yaml cannot be read: line 5: did not find expected ',' or '}}'"
    )
    assert "hunter2" not in ran.out + ran.err


def test_of_what_a_chart_renders_to_the_document_is_named(diff: Diff) -> None:
    nested = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: deep\ndata: " + "[" * 300 + "]" * 300 + "\n"
    ran = diff({**CHART, "apps/web.yaml": application()}, {"chart/templates/deep.yaml": nested})
    assert (ran.code, statuses(ran)["apps/web.yaml#web"]) == (3, "failed")
    assert re.fullmatch(
        r"head side: what it renders to cannot be read: ConfigMap deep, line \d+: nested deeper than 200 levels",
        reasons(ran)["apps/web.yaml#web"],
    )


def test_a_broken_application_file_does_not_remove_its_application(diff: Diff) -> None:
    ran = diff({**CHART, "apps/web.yaml": application()}, {"apps/web.yaml": application().replace("spec:", "spec: [")})
    assert ran.code == 3
    assert statuses(ran)["apps/web.yaml#web"] == "failed"
    assert ran.report["counts"]["removed"] == 0


def test_a_mended_base_is_no_mass_addition(diff: Diff) -> None:
    ran = diff({**CHART, "apps/web.yaml": application(), "chart/templates/bad.yaml": "{{ fail \"x\" }}"},
               {"chart/templates/bad.yaml": None})  # fmt: skip
    assert statuses(ran)["apps/web.yaml#web"] == "failed"
    assert ran.report["counts"]["added"] == 0
    assert reasons(ran)["apps/web.yaml#web"].startswith("base side: ")


def test_a_missing_value_file_is_named(diff: Diff) -> None:
    ran = diff({**CHART, "apps/web.yaml": application()},
               {"apps/web.yaml": application(extra="    helm: {valueFiles: [values-prod.yaml]}\n")})  # fmt: skip
    assert ran.code == 3
    assert "values-prod.yaml" in reasons(ran)["apps/web.yaml#web"]


def test_duplicate_keys_in_an_application_are_an_error(diff: Diff) -> None:
    twice = application().replace("    path: chart\n", "    path: chart\n    path: other\n")
    ran = diff({**CHART, "apps/web.yaml": application()}, {"apps/web.yaml": twice})
    assert ran.code == 3
    assert any("path" in reason for reason in reasons(ran).values())


def deep(levels: int) -> str:
    return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: deep}\nx: " + "[" * levels + "]" * levels + "\n"


BOMB = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\na: &a [x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
)  # fmt: skip


@pytest.mark.parametrize("document", [deep(1000), deep(100_000), BOMB], ids=["deep", "very deep", "bomb"])
def test_a_hostile_document_fails_alone_and_soon(diff: Diff, document: str) -> None:
    base = {
        "ok/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
        "bad/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: deep}\n",
    }
    ran = diff(base, {"bad/a.yaml": document, "ok/a.yaml": base["ok/a.yaml"] + "data: {k: v}\n"})
    assert ran.code == 3
    assert statuses(ran) == {"directory:bad": "failed", "directory:ok": "changed"}


def test_a_chart_that_never_ends_is_stopped(diff: Diff) -> None:
    endless = '{{- range until 100000 }}{{- range until 100000 }}{{- $_ := sha256sum "x" }}{{- end }}{{- end }}'
    settings = {".gitops-bot.yaml": "version: 1\nrender: {timeout: 2s}\n"}
    ran = diff({**CHART, **settings, "apps/web.yaml": application()}, {"chart/templates/endless.yaml": endless})
    assert ran.code == 3
    assert "2 s" in reasons(ran)["apps/web.yaml#web"]


def test_a_jq_filter_that_never_ends_is_stopped(diff: Diff) -> None:
    ignored = "  ignoreDifferences: [{group: apps, kind: Deployment, jqPathExpressions: ['[range(infinite)]']}]\n"
    ran = diff({**CHART, "apps/web.yaml": application(spec=ignored)},
               {"chart/values.yaml": "replicas: 3\nimage: {repository: a, tag: b}\n"})  # fmt: skip
    assert ran.code == 3
    assert "jq" in reasons(ran)["apps/web.yaml#web"]


def test_ignored_differences_are_hidden_and_counted(diff: Diff) -> None:
    ignored = "  ignoreDifferences: [{group: apps, kind: Deployment, jsonPointers: [/spec/replicas]}]\n"
    ran = diff({**CHART, "apps/web.yaml": application(spec=ignored)},
               {"chart/values.yaml": CHART["chart/values.yaml"].replace("replicas: 2", "replicas: 3")})  # fmt: skip
    (change,) = ran.report["changes"]
    assert (change["bucket"], change["hidden"], change["fields"]) == ("ignored", 1, [])
    assert ran.report["counts"]["changed"] == 0


SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: %s}\n"


@pytest.mark.parametrize("format_", ["text", "markdown", "json"])
def test_a_secret_shows_that_it_changed_and_never_what(diff: Diff, format_: str, tmp_path: Path) -> None:
    ran = diff({"s/a.yaml": SECRET % "hunter2-old"}, {"s/a.yaml": SECRET % "hunter2-new"}, "--format", format_,
               "--cache", str(tmp_path / "cache"))  # fmt: skip
    assert ran.code == 0
    assert "changed" in ran.out
    kept = b"".join(path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file())
    for text in (ran.out, ran.err, kept.decode("latin-1")):
        assert "hunter2" not in text
        assert "aHVudGVyMi" not in text


def test_a_moved_folder_is_no_change(diff: Diff) -> None:
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: v}\n"
    ran = diff({"old/kustomization.yaml": "resources: [a.yaml]\n", "old/a.yaml": manifest},
               {"old/kustomization.yaml": None, "old/a.yaml": None,
                "new/kustomization.yaml": "resources: [a.yaml]\n", "new/a.yaml": manifest})  # fmt: skip
    assert ran.report["changes"] == []
    (target,) = ran.report["targets"]
    assert (target["id"], target["moved_from"]) == ("kustomize:new", "kustomize:old")


def test_a_kustomization_that_names_a_missing_file_fails(diff: Diff) -> None:
    base = {
        "k/kustomization.yaml": "resources: [a.yaml]\n",
        "k/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
    }
    ran = diff(base, {"k/kustomization.yaml": "resources: [a.yaml, gone.yaml]\n"})
    assert (ran.code, ran.report["counts"]["removed"]) == (3, 0)
    assert "gone.yaml" in reasons(ran)["kustomize:k"]


def test_what_follows_a_tag_reaches_its_environment_later(diff: Diff) -> None:
    settings = "version: 1\nenvironments:\n  staging: {branch: main}\n  production: {tag: 'v*', protected: true}\n"
    base = {**CHART, ".gitops-bot.yaml": settings, "apps/web.yaml": application(extra="    targetRevision: v*\n")}
    ran = diff(base, {"chart/values.yaml": CHART["chart/values.yaml"].replace("replicas: 2", "replicas: 3")})
    (target,) = [each for each in ran.report["targets"] if each["kind"] == "Application"]
    assert target["reaches"] == "production (v*)"


def test_an_app_of_apps_shows_its_children_once(diff: Diff) -> None:
    base = {**CHART, "parent/kustomization.yaml": "resources: [web.yaml]\n", "parent/web.yaml": application(),
            "root.yaml": application("root", "parent")}  # fmt: skip
    ran = diff(base, {"chart/values.yaml": CHART["chart/values.yaml"].replace("replicas: 2", "replicas: 3")})
    assert statuses(ran) == {"parent/web.yaml#web": "changed", "root.yaml#root": "unchanged", "directory:": "unchanged"}
    assert ran.report["counts"]["changed"] == 1


def test_a_parent_that_patches_its_child_decides(diff: Diff) -> None:
    patch = "patches:\n- target: {kind: Application}\n  patch: |\n    - {op: add, path: /spec/source/helm, value: {parameters: [{name: replicas, value: '7'}]}}\n"
    base = {**CHART, "parent/kustomization.yaml": "resources: [web.yaml]\n", "parent/web.yaml": application(),
            "root.yaml": application("root", "parent")}  # fmt: skip
    ran = diff(base, {"parent/kustomization.yaml": "resources: [web.yaml]\n" + patch})
    fields = {(change["kind"], field["path"]): (field.get("before"), field.get("after"))
              for change in ran.report["changes"] for field in change["fields"]}  # fmt: skip
    assert fields["Deployment", "spec.replicas"] == (2, 7)
    assert ("Application", "spec.source.helm") in {(kind, path[:16]) for kind, path in fields}


def test_the_same_bytes_come_out_every_time(
    diff: Diff, tmp_path: Path, repository: Callable[..., Checkout], capfd: pytest.CaptureFixture[str]
) -> None:
    base = {**CHART, **{f"apps/{n}.yaml": application(f"web-{n}") for n in range(6)}}
    first = diff(
        base, {"chart/values.yaml": "replicas: 9\nimage: {repository: a, tag: b}\n"}, "--cache", str(tmp_path / "c")
    )
    again = run(
        [
            "diff",
            "--repo",
            str(tmp_path / "repository"),
            "--base",
            "main",
            "--head",
            "feature",
            "--format",
            "json",
            "--cache",
            str(tmp_path / "c"),
        ]
    )
    assert again == first.code
    assert capfd.readouterr().out == first.out


def test_wrong_calls_say_what_to_do(diff: Diff, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", "--repo", str(tmp_path)]) == 5
    assert "is not a Git repository" in capfd.readouterr().err
    assert diff({"a": "b"}, {}, "--base", "nowhere").code == 2
    assert run(["diff", "--repo", str(tmp_path / "repository"), "--base", "main", "--app", "wbe"]) == 2
    assert "--app wbe matches no target" in capfd.readouterr().err
    assert run(["diff", "--frmat", "json"]) == 2


def test_an_output_file_is_written_whole_or_not_at_all(diff: Diff, tmp_path: Path) -> None:
    ran = diff({"a": "b"}, {"a": "c"}, "--output", str(tmp_path / "report.json"))
    assert ran.out == ""
    assert json.loads((tmp_path / "report.json").read_text())["schemaVersion"] == "1"


def test_an_output_file_that_cannot_be_written_is_said(diff: Diff, tmp_path: Path) -> None:
    ran = diff({"a": "b"}, {"a": "c"}, "--output", str(tmp_path / "missing" / "report.json"))
    assert ran.code == 2
    assert "cannot write" in ran.err


def test_broken_settings_are_told_all_at_once(diff: Diff) -> None:
    ran = diff({".gitops-bot.yaml": "version: 2\nrendr: {}\n"}, {"a": "c"})
    assert ran.code == 2
    assert "rendr" in ran.err
    assert "version" in ran.err


def test_a_change_that_breaks_the_settings_is_told_although_they_are_not_in_force(diff: Diff) -> None:
    ran = diff({".gitops-bot.yaml": "version: 1\n", "a": "b"}, {".gitops-bot.yaml": "version: 1\nrendr: {}\n"})
    assert ran.code == 3
    assert "rendr" in reasons(ran)[".gitops-bot.yaml"]


def test_the_head_cannot_silence_anything(diff: Diff) -> None:
    empty = (
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: fleet}\nspec:\n"
        "  generators: [{list: {elements: []}}]\n  template: {metadata: {name: x}, spec: {}}\n"
    )
    quiet = "version: 1\nrender: {empty_generators: ['*']}\n"
    assert diff({"a": "b"}, {"fleet.yaml": empty, ".gitops-bot.yaml": quiet}).code == 3


def test_a_target_that_neither_side_can_render_is_a_failure_of_the_head(diff: Diff) -> None:
    broken = {"chart/templates/bad.yaml": '{{ fail "no" }}'}
    ran = diff({**CHART, **broken, "apps/web.yaml": application()}, {"chart/values.yaml": "replicas: 3\n"})
    assert ran.code == 3
    assert reasons(ran)["apps/web.yaml#web"].startswith("head side: ")


def test_a_chart_that_needs_another_kubernetes_says_where_its_version_is_named(diff: Diff) -> None:
    newer = {"chart/Chart.yaml": CHART["chart/Chart.yaml"] + "kubeVersion: '>=9.0.0'\n"}
    ran = diff({**CHART, "apps/web.yaml": application()}, newer)
    assert "render.kube_version" in reasons(ran)["apps/web.yaml#web"]


def test_a_change_does_not_hide_itself_by_the_rule_it_adds(diff: Diff) -> None:
    ignored = "  ignoreDifferences: [{group: apps, kind: Deployment, jsonPointers: [/spec/replicas]}]\n"
    ran = diff({**CHART, "apps/web.yaml": application()},
               {"apps/web.yaml": application(spec=ignored),
                "chart/values.yaml": CHART["chart/values.yaml"].replace("replicas: 2", "replicas: 3")})  # fmt: skip
    (change,) = [each for each in ran.report["changes"] if each["kind"] == "Deployment"]
    assert (change["bucket"], change["hidden"]) == ("changed", 0)


@pytest.mark.parametrize("format_", ["text", "markdown", "json"])
def test_a_file_name_that_is_no_text_is_shown_all_the_same(diff: Diff, format_: str) -> None:
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
    name = os.fsdecode(b"d\xff/\xfe.yaml")
    ran = diff({name: manifest}, {name: manifest + "data: {k: v}\n"}, "--format", format_)
    assert ran.code == 0
    assert "ConfigMap" in ran.out


def test_a_base_that_cannot_be_rendered_compares_nothing_and_is_no_success(diff: Diff) -> None:
    ran = diff({**CHART, "apps/web.yaml": application(), "chart/templates/bad.yaml": '{{ fail "x" }}'},
               {"chart/templates/bad.yaml": None})  # fmt: skip
    assert ran.code == 3


def test_files_that_only_an_unfollowed_target_may_read_are_named(diff: Diff) -> None:
    base = {"k/kustomization.yaml": "resources: ['https://example.invalid/a.yaml', ../base]\n",
            "base/kustomization.yaml": "resources: [m.yaml]\n", "base/m.yaml": "apiVersion: v1\n"}  # fmt: skip
    ran = diff(base, {"base/m.yaml": "apiVersion: v1\nkind: ConfigMap\n"}, "--offline")
    assert ran.code == 3
    assert any("base/m.yaml" in entry["reason"] for entry in ran.report["not_rendered"])


def test_a_snapshot_that_the_settings_name_is_missed(diff: Diff) -> None:
    settings = "version: 1\nenvironments:\n  staging: {branch: main, cluster: staging}\n"
    ran = diff({".gitops-bot.yaml": settings}, {"a": "b"})
    assert any(".gitops-bot/clusters/staging.yaml" in note for note in ran.report["notes"])


def test_a_cache_that_is_a_file_is_refused(diff: Diff, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = diff({"a": "b"}, {"a": "c"}, "--cache", str(tmp_path / "file"))
    assert (ran.code, (tmp_path / "file").read_text()) == (2, "")


def test_a_name_that_is_nearly_right_is_suggested(diff: Diff) -> None:
    ran = diff({**CHART, "apps/web-frontend.yaml": application("web-frontend")}, {"a": "b"}, "--app", "web-frontent")
    assert ran.code == 2
    assert "did you mean web-frontend?" in ran.err


def test_a_generated_application_that_goes_elsewhere_is_seen(diff: Diff) -> None:
    fleet = (
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: fleet}\nspec:\n"
        f"  generators: [{{git: {{repoURL: {URL}, revision: main, files: [{{path: cfg/*.json}}]}}}}]\n"
        "  template:\n    metadata: {name: web}\n    spec:\n      project: default\n"
        "      destination: {server: '{{srv}}', namespace: '{{ns}}'}\n"
        f"      source: {{repoURL: {URL}, path: ok}}\n"
    )
    base = {"fleet.yaml": fleet, "cfg/a.json": '{"srv": "https://a", "ns": "a"}',
            "ok/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"}  # fmt: skip
    ran = diff(base, {"cfg/a.json": '{"srv": "https://prod", "ns": "prod"}'})
    found = {(change["action"], change["kind"], change["namespace"]) for change in ran.report["changes"]}
    assert {("removed", "ConfigMap", "a"), ("added", "ConfigMap", "prod")} <= found
    assert any(kind == "Application" for _, kind, _ in found)


def test_items_of_a_typed_list_are_not_lost(diff: Diff) -> None:
    items = "apiVersion: v1\nkind: ConfigMapList\nitems:\n- {metadata: {name: a}, data: {k: %s}}\n"
    ran = diff({"d/a.yaml": items % "v"}, {"d/a.yaml": items % "w"})
    assert ran.report["counts"]["changed"] == 1


@pytest.mark.parametrize(
    "template", ['{{ fail (printf "bad %s" .Values.password) }}', "{{ range .Values.password }}{{ end }}"]
)
@pytest.mark.parametrize("extra", ["", "inline"])
def test_a_tool_that_quotes_a_password_is_not_repeated(diff: Diff, template: str, extra: str) -> None:
    inline = "    helm: {valuesObject: {password: hunter2-inline}}\n"
    files = {
        **CHART,
        "apps/web.yaml": application(extra=extra and inline),
        "chart/values.yaml": "password: hunter2-file\n",
    }
    ran = diff(files, {"chart/templates/x.yaml": template})
    assert ran.code == 3
    assert "hunter2" not in ran.out + ran.err


TWICE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((), 0),
        (("--fail-on", "error"), 0),
        (("--fail-on", "warning"), 7),
        (("--fail-on", "error", "--fail-on", "warning"), 7),
        (("--fail-on", "warning", "--exit-code"), 7),
    ],
)
def test_signals_fail_only_when_asked_to_and_after_the_output(diff: Diff, options: tuple[str, ...], code: int) -> None:
    ran = diff({"a/a.yaml": TWICE}, {"a/b.yaml": TWICE}, *options)
    assert ran.code == code
    assert [one["signal"]["id"] for one in ran.report["signals"]] == ["duplicate-resource"]
    assert ("duplicate-resource: ConfigMap a in directory:a" in ran.err) is (code == 7)


def test_a_silenced_signal_fails_nothing_and_stays_in_the_report(diff: Diff) -> None:
    silent = "version: 1\nreview: {silence: [{signal: duplicate-resource, reason: known}]}\n"
    ran = diff({"a/a.yaml": TWICE, ".gitops-bot.yaml": silent}, {"a/b.yaml": TWICE}, "--fail-on", "warning")
    assert ran.code == 0
    assert [one["silenced"] for one in ran.report["signals"]] == ["known"]


def test_a_failed_render_comes_before_a_signal(diff: Diff) -> None:
    base = {"a/a.yaml": TWICE, "k/kustomization.yaml": "resources: [a.yaml]\n", "k/a.yaml": TWICE}
    head = {"a/b.yaml": TWICE, "k/kustomization.yaml": "resources: [gone.yaml]\n"}
    assert diff(base, head, "--fail-on", "warning").code == 3


def test_the_terminal_shows_signals_and_their_ids(diff: Diff) -> None:
    ran = diff({"a/a.yaml": TWICE}, {"a/b.yaml": TWICE}, "--format", "text")
    assert "! duplicate-resource  ConfigMap a: it is rendered 2 times" in ran.out


OVERLAY = {
    "web/kustomization.yaml": "resources: [one.yaml]\n",
    "web/one.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n",
}
CHARTED = {"web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 0.1.0\n",
           "web/templates/one.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n"}  # fmt: skip
PLAIN = {"web/one.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n"}


@pytest.mark.parametrize("files", [OVERLAY, CHARTED, PLAIN], ids=["kustomize", "helm", "directory"])
def test_a_folder_that_an_application_takes_over_or_leaves_is_told_once(diff, files):
    definition = {"argocd/web.yaml": application(path="web")}
    taken = diff(files, definition).report
    assert {(one["name"], one["status"]) for one in taken["targets"]} == {("argocd", "added"), ("web", "added")}
    assert taken["counts"]["removed"] == 0


@pytest.mark.parametrize("files", [OVERLAY, CHARTED, PLAIN], ids=["kustomize", "helm", "directory"])
def test_a_folder_whose_application_goes_is_not_told_as_new(diff, files):
    definition = {"argocd/web.yaml": application(path="web")}
    left = diff({**files, **definition}, {"argocd/web.yaml": None}).report
    assert left["counts"]["added"] == 0
    assert ("web", "removed") in [(one["name"], one["status"]) for one in left["targets"]]


def test_an_overlay_that_goes_is_told_though_a_new_application_shares_its_base(diff):
    base = {"base/kustomization.yaml": "resources: [one.yaml]\n", "base/one.yaml": OVERLAY["web/one.yaml"]}
    overlays = {
        f"{name}/kustomization.yaml": f"resources: [../base]\nnamePrefix: {name}-\n" for name in ("dev", "prod")
    }
    change = {"dev/kustomization.yaml": None, "argocd/web.yaml": application(path="prod")}
    report = diff({**base, **overlays}, change).report
    assert "removed" in [one["status"] for one in report["targets"] if one["id"] == "kustomize:dev"]


def test_an_application_whose_own_values_change_counts_though_neither_side_has_its_chart(diff):
    def chart(replicas: int) -> str:
        local = f"    repoURL: {URL}\n    path: chart\n"
        remote = "    repoURL: https://charts.example.org/team\n    chart: pay\n    targetRevision: 1.2.3\n"
        return application(name="pay").replace(local, f"{remote}    helm: {{valuesObject: {{replicas: {replicas}}}}}\n")

    ran = diff({"apps/pay.yaml": chart(2)}, {"apps/pay.yaml": chart(3)}, "--offline")
    assert ran.code == 3
    assert ran.report["counts"]["failed"] == 1


POD = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: evil\nspec:\n  hostPID: true\n"
KEPT = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: keep\n"


@pytest.mark.parametrize(
    "content",
    [
        POD.replace("spec:", "  annotations:\n    a: |\n      {{ x }}\nspec:"),
        "apiVersion: skaffold/v4beta6\nkind: Config\n---\n" + POD,
        "\ufeff" + POD,
        POD.encode("utf-16"),
        "".join(f" {line}\n" for line in POD.splitlines()),
        POD.replace("apiVersion:", '"api\\x56ersion":'),
        POD.replace("apiVersion:", "!!str apiVersion:"),
        "--- {apiVersion: v1, kind: Pod, metadata: {name: evil}}\n",
        "---\n\ufeff" + POD,
    ],
)
def test_no_notation_hides_an_object_of_a_plain_directory(diff: Diff, content: str | bytes) -> None:
    ran = diff({"p/keep.yaml": KEPT}, {"p/e.yaml": content})  # type: ignore[dict-item]  # files may be bytes
    assert [(one["action"], one["kind"], one["name"]) for one in ran.report["changes"]] == [("added", "Pod", "evil")]
    assert ran.report["not_rendered"] == []


def test_a_byte_order_mark_removes_nothing(diff: Diff) -> None:
    ran = diff({"p/keep.yaml": KEPT, "p/a.yaml": POD}, {"p/a.yaml": "\ufeff" + POD})
    assert ran.report["changes"] == []


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("p/e.yaml", "{{ if .x }}\n" + POD + "{{ end }}\n"),
        ("p/e.YAML", POD),
        ("k/unused.yaml", POD),
        ("p/e.yaml", "# +argocd:skip-file-rendering\n" + POD),
        ("p/e.json", '{"apiVersion": "v1", "kind": "Pod",\n'),
    ],
)
def test_a_changed_manifest_that_no_target_reads_is_named(diff: Diff, path: str, content: str) -> None:
    ran = diff({"p/keep.yaml": KEPT, "k/kustomization.yaml": "resources: []\n"}, {path: content})
    assert list(reasons(ran)) == [path]
    assert "no target reads it" in reasons(ran)[path]
    assert not ran.report["not_rendered"][0]["failed"]
    assert not ran.report["routine"]
    assert ran.code == 0


def test_what_is_no_manifest_is_not_named(diff: Diff) -> None:
    others = {
        ".github/workflows/ci.yaml": "on: push\n", "package.json": '{"kind": "x"}', "docs/openapi.json":
        '{"openapi": "3.0.0", "x": {"apiVersion": "v1", "kind": "Pod"}}', "mkdocs.yml": "site_name: x\n",
        "values/prod.yaml": "image: {tag: a}\n", "skaffold.yaml": "apiVersion: skaffold/v4\nkind: Config\n",
        ".hidden/pod.yaml": POD, "chart/ci/test.yaml": POD, "chart/templates/_x.yaml": '{{ define "x" }}' + POD + "{{ end }}",
        "docs/example.md": POD, "play.yml": "- hosts: all\n  tasks: [{k8s: {apiVersion: v1, kind: Pod}}]\n",
        "tpl.yaml": "{{ x }}\n",
    }  # fmt: skip
    ran = diff({**CHART, "p/keep.yaml": KEPT}, others)
    assert ran.report["not_rendered"] == []


def test_the_definition_of_a_target_is_not_named_as_unread(diff: Diff) -> None:
    ran = diff({**CHART, "k/kustomization.yaml": "resources: []\n"}, {"k/app.yaml": application()})
    assert statuses(ran)["k/app.yaml#web"] == "added"
    assert ran.report["not_rendered"] == []


@pytest.mark.parametrize(("project", "named"), [("unused", True), ("default", False)])
def test_a_changed_project_is_named_where_no_application_is_judged_by_it(diff: Diff, project: str, named: bool) -> None:
    def of(repos: str) -> str:
        return (
            f"apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {{name: {project}}}\n"
            f"spec: {{sourceRepos: {repos}}}\n"
        )

    base = {**CHART, "k/app.yaml": application(), "x/kustomization.yaml": "resources: []\n"}
    ran = diff({**base, "x/project.yaml": of("['*']")}, {"x/project.yaml": of("[]")})
    assert list(reasons(ran)) == ["x/project.yaml"] * named


def test_many_unread_manifests_are_named_and_counted(diff: Diff) -> None:
    ran = diff({"k/kustomization.yaml": "resources: []\n"}, {f"k/{at:03}.yaml": POD for at in range(120)})
    assert len(reasons(ran)) == 100
    assert "20 more files" in reasons(ran)["k/099.yaml"]


def test_templates_are_those_of_the_base(diff):
    base = {**PLAIN, ".gitops-bot/templates/footer.md.j2": "of the base\n"}
    change = {"web/one.yaml": PLAIN["web/one.yaml"] + "data: {a: b}\n", ".gitops-bot/templates/footer.md.j2": "mine\n"}
    assert diff(base, change, "--format", "markdown").out.endswith("of the base\n")


def test_templates_that_are_tried_are_told_when_wrong(diff, tmp_path):
    change = {"web/one.yaml": PLAIN["web/one.yaml"] + "data: {a: b}\n"}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "footer.md.j2").write_text("{% if %}")
    ran = diff(PLAIN, change, "--format", "markdown", "--templates", str(tmp_path / "mine"))
    assert ran.code == 2
    assert "footer.md.j2:1" in ran.err


def test_a_directory_of_templates_that_is_none_is_told(diff):
    ran = diff(PLAIN, {"web/one.yaml": PLAIN["web/one.yaml"] + "data: {a: b}\n"}, "--templates", "nowhere")
    assert ran.code == 2
    assert "--templates nowhere" in ran.err


def test_any_number_of_endless_charts_ends_with_the_time_of_the_run(diff: Diff) -> None:
    endless = '{{- range until 100000 }}{{- range until 100000 }}{{- $_ := sha256sum "x" }}{{- end }}{{- end }}'
    head = {f"c{at}/Chart.yaml": CHART["chart/Chart.yaml"] for at in range(6)}
    head |= {f"c{at}/templates/a.yaml": endless for at in range(6)}
    settings = {".gitops-bot.yaml": "version: 1\nrender: {timeout: 60s, deadline: 3s}\n"}
    began = time.monotonic()
    ran = diff({**settings, "p/keep.yaml": KEPT}, {**head, "p/keep.yaml": KEPT + "data: {a: b}\n"})
    assert time.monotonic() - began < 30
    assert ran.code == 3
    told = reasons(ran)
    assert sorted(told) == [f"helm:c{at}" for at in range(6)]
    assert all("no time left in this run" in reason and "render.deadline" in reason for reason in told.values())
    assert [one["name"] for one in ran.report["changes"]] == ["keep"]


UNFETCHABLE = {"apps/pay.yaml": application(name="pay").replace(
    f"    repoURL: {URL}\n    path: chart\n",
    "    repoURL: https://charts.example.org/team\n    chart: pay\n    targetRevision: 1.2.3\n",
)}  # fmt: skip
REMOTE = "resources: [https://github.com/other/bases//web?ref=v1]\n"


def test_a_file_that_no_unread_target_can_include_fails_nothing(diff):
    ran = diff(UNFETCHABLE, {"config/settings.json": '{"a": 1}\n', "docs/x.yaml": "a: 1\n"}, "--offline")
    assert ran.code == 0, ran.report["not_rendered"]


def test_a_changed_file_of_a_target_that_was_not_read_to_its_end_fails_it(diff):
    files = {"web/kustomization.yaml": REMOTE, "other/kustomization.yaml": REMOTE}
    ran = diff(files, {"web/new.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"}, "--offline")
    assert ran.code == 3
    assert [one["id"] for one in ran.report["not_rendered"] if one["failed"]] == ["kustomize:web"]


@pytest.mark.parametrize("path", ["base/one.yaml", "web/more/two.yaml"])
def test_so_does_one_of_an_application_s_own_directory(diff, path):
    files = {"apps/web.yaml": application(path="web"), "web/kustomization.yaml": REMOTE.replace("]", ", ../base]"),
             "base/kustomization.yaml": "resources: [one.yaml]\n", "base/one.yaml": PLAIN["web/one.yaml"]}  # fmt: skip
    ran = diff(files, {path: PLAIN["web/one.yaml"] + "data: {a: b}\n"}, "--offline")
    assert ran.code == 3
    assert [one["id"] for one in ran.report["not_rendered"] if one["failed"]] == ["apps/web.yaml#web"]


def test_a_base_that_only_an_unread_overlay_may_include_fails_the_nearest_one(diff):
    base = {"team/base/kustomization.yaml": "resources: [one.yaml]\n", "team/base/one.yaml": PLAIN["web/one.yaml"]}
    overlays = {f"{place}/kustomization.yaml": REMOTE.replace("[", "[../base, ") for place in ("team/prod", "zoo/prod")}
    change = {"team/base/one.yaml": PLAIN["web/one.yaml"] + "data: {a: b}\n"}
    ran = diff({**base, **overlays, "zoo/base/kustomization.yaml": "resources: []\n"}, change, "--offline")
    assert ran.code == 3
    assert [one["id"] for one in ran.report["not_rendered"] if one["failed"]] == ["kustomize:team/prod"]
