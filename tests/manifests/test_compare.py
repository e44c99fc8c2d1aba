"""Two renderings compared: every object in one bucket, what is noise is folded, what matters stays."""

from __future__ import annotations

import base64
import json
import random

import pytest
from hypothesis import given, settings
from msgspec import UNSET

from gitops_bot.manifests import compare as module
from gitops_bot.manifests import yaml
from gitops_bot.manifests.compare import compare
from gitops_bot.manifests.yaml import YamlError
from gitops_bot.model.application import IgnoreDifference
from gitops_bot.model.resource import ResourceKey
from tests.manifests.streams import STREAMS, body, deployment, stream


def one(before, after, **options):
    """The only change between two lists of objects."""
    found = compare(stream(*before), stream(*after), **options)
    assert len(found.changes) == 1, found
    return found.changes[0]


def paths(change):
    return [field.path for field in change.fields]


# -- properties -------------------------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(STREAMS, STREAMS)
def test_every_object_is_counted_once_and_in_either_direction(old, new):
    base, head = stream(*old), stream(*new)
    found, back = compare(base, head, namespace="n"), compare(head, base, namespace="n")
    keys = {
        ResourceKey(each["apiVersion"].rpartition("/")[0], each["kind"], "n", each["metadata"]["name"])
        for each in (*old, *new)
    }
    renamed = sum(change.renamed_from is not None for change in found.changes)
    assert found.unchanged + len(found.changes) + renamed == len(keys)
    assert len({change.key for change in found.changes}) == len(found.changes)
    assert found.unchanged == back.unchanged
    swap = {"added": "removed", "removed": "added", "changed": "changed", "noise": "noise", "ignored": "ignored"}
    assert sorted((told(change.renamed_from or change.key), swap[change.bucket]) for change in found.changes) == sorted(
        (told(change.key), change.bucket) for change in back.changes
    )


def told(key):
    """A name without what says that its hash is new: that is the head's side, whichever it is."""
    return key._replace(name=key.name.replace("<new-", "<"))


@settings(max_examples=100, deadline=None)
@given(STREAMS)
def test_a_rendering_is_equal_to_itself_in_any_order_and_notation(bodies):
    last = {(each["kind"], each["metadata"]["name"], each["metadata"].get("namespace") or "n"): each for each in bodies}
    base = stream(*bodies)
    shuffled = list(last.values())
    random.Random(1).shuffle(shuffled)
    head = b"".join(b"--- # c\n" + json.dumps(each).encode() + b"\n" for each in shuffled)
    found = compare(base, head, namespace="n")
    assert found.changes == ()
    assert found.unchanged == len(last)
    assert compare(base, base, namespace="n").changes == ()


@settings(max_examples=100, deadline=None)
@given(STREAMS, STREAMS)
def test_the_same_input_gives_the_same_bytes_with_and_without_memory(old, new):
    base, head = stream(*old), stream(*new)
    first = compare(base, head)
    again = compare(base, head)
    module._memo = module._Memo()
    assert first == again == compare(base, head)


@settings(max_examples=200, deadline=None)
@given(STREAMS, STREAMS)
def test_a_changed_object_has_a_diff_whose_hunks_are_counted_right(old, new):
    for change in compare(stream(*old), stream(*new)).changes:
        counted = {"-": 0, "+": 0}
        for line in change.diff.splitlines():
            if line.startswith("@@"):
                assert counted == {"-": 0, "+": 0}
                left, right = line.split()[1:3]
                counted = {side[0]: int(side.partition(",")[2] or 1) for side in (left, right)}
            else:
                for mark in "-+" if line[0] == " " else line[0]:
                    counted[mark] -= 1
        assert counted == {"-": 0, "+": 0}
        assert bool(change.diff) == (change.bucket in ("added", "removed", "changed"))


# -- identity ---------------------------------------------------------------------------------------------------------


def test_a_missing_namespace_is_the_destinations_unless_the_kind_has_none():
    crd = body("CustomResourceDefinition", "things.acme.io", "apiextensions.k8s.io/v1",
               spec={"group": "acme.io", "scope": "Cluster", "names": {"kind": "Thing"}})  # fmt: skip
    before = [crd, body("Thing", "t", "acme.io/v1"), body("ClusterRole", "c", "rbac.authorization.k8s.io/v1"), body()]
    after = [
        body("Thing", "t", "acme.io/v1", metadata={"namespace": "else"}),
        body("ClusterRole", "c", "rbac.authorization.k8s.io/v1", metadata={"namespace": "prod"}),
        body(metadata={"namespace": "prod"}),
        crd,
    ]
    found = compare(stream(*before), stream(*after), namespace="prod")
    assert [(str(change.key), change.action) for change in found.changes] == [
        ("ConfigMap/prod/x", "changed"), ("Thing.acme.io/t", "changed"),
        ("ClusterRole.rbac.authorization.k8s.io/c", "changed"),
    ] or found.unchanged == 4  # fmt: skip
    assert all(change.action == "changed" for change in found.changes)


def test_the_group_tells_apart_and_the_version_does_not():
    old, new = body("Thing", "x", "acme.io/v1"), body("Thing", "x", "acme.io/v2")
    assert paths(one([old], [new])) == ["apiVersion"]
    assert len(compare(stream(old), stream(body("Thing", "x", "other.io/v1"))).changes) == 2


def test_generated_names_and_lists_are_objects():
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "run-"}}
    whole = {"apiVersion": "v1", "kind": "List", "items": [job, body(), body("Secret", "s")]}
    assert compare(stream(whole), stream(job, body(), body("Secret", "s"))).changes == ()
    assert str(one([], [job]).key) == "Job.batch/run-*"
    typed = {"apiVersion": "v1", "kind": "ConfigMapList", "items": [{"metadata": {"name": "x"}}]}
    assert compare(stream(typed), stream(body())).unchanged == 1
    assert compare(stream({"apiVersion": "v1", "kind": "List", "items": None}), b"").changes == ()


def test_of_two_objects_with_one_identity_the_last_counts_and_is_told():
    first, second = body(data={"a": "1"}), body(data={"a": "2"})
    found = compare(stream(first, second), stream(second))
    assert found.changes == ()
    assert found.unchanged == 1
    assert found.warnings == ("before this change, ConfigMap/x is rendered 2 times: the last one counts",)
    # The first of the two is the same text on both sides, and yet it now is what counts.
    change = one([first, second], [second, first])
    assert paths(change) == ["data.a"]


def test_what_is_no_object_is_told_by_its_line():
    found = compare(b"a: 1\n", b"---\napiVersion: v1\nkind: X\n---\n- 1\n---\n# c\n---\nnull\n")
    assert found.changes == ()
    assert found.warnings == (
        "the document at line 2 has no metadata.name: it is not compared",
        "the document at line 5 is no mapping: it is not compared",
        "before this change, the document at line 1 has no apiVersion: it is not compared",
    )


def test_duplicate_keys_are_told_also_when_the_result_is_remembered():
    base = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: dup\ndata:\n  a: '1'\n"
    head = b"---\n" + base + b"  b: w\n  b: x\n"
    for _ in range(2):
        found = compare(base, head)
        assert found.changes[0].fields[0].after == "x"
        assert found.warnings == ("line 9: the key b is there twice, the last one counts",)


def test_an_error_names_the_line_of_the_stream():
    with pytest.raises(YamlError, match="line 8: did not find expected"):
        compare(b"", stream(body()) + b"---\n{a: 1\nb: [}")


def test_nothing_against_nothing():
    assert compare(b"", b"---\n---\n# x\n").changes == ()


# -- renames ----------------------------------------------------------------------------------------------------------


def test_a_hash_suffix_is_no_new_object():
    old, new = body(name="cfg-2456789bcd", data={"a": "1"}), body(name="cfg-fghkm24567", data={"a": "2"})
    change = one([old], [new])
    assert (change.action, change.bucket) == ("changed", "changed")
    assert change.renamed_from == ResourceKey("", "ConfigMap", "", "cfg-2456789bcd")
    assert paths(change) == ["data.a", "metadata.name"]


def test_equal_content_under_another_name_is_a_rename_but_not_for_secrets_or_empty_objects():
    assert one([body(name="a", data={"k": "v"})], [body(name="b", data={"k": "v"})]).renamed_from is not None
    for old, new in (
        (body("Secret", "a", data={"k": "dg=="}), body("Secret", "b", data={"k": "dg=="})),
        (body("ServiceAccount", "a"), body("ServiceAccount", "b")),
        (body("Namespace", "a"), body("Namespace", "b")),
        (body(name="a", data={"k": "v"}), body(name="b", data={"k": "w"})),
        (body(name="a", metadata={"namespace": "m"}, data={"k": "v"}), body(name="a", metadata={"namespace": "n"}, data={"k": "v"})),
    ):  # fmt: skip
        assert sorted(change.action for change in compare(stream(old), stream(new)).changes) == ["added", "removed"]


# -- noise, hooks, ignored differences --------------------------------------------------------------------------------


def test_chart_labels_of_the_object_are_noise_and_those_of_its_pods_are_not():
    own = {"helm.sh/chart": "web-1", "app.kubernetes.io/version": "1", "chart": "web-1"}
    new = {key: value + "1" for key, value in own.items()}
    noise = one([body(metadata={"labels": own})], [body(metadata={"labels": new})])
    assert (noise.bucket, noise.fields, noise.diff) == ("noise", (), "")
    assert [field.path for field in noise.noise] == [
        'metadata.labels["app.kubernetes.io/version"]', "metadata.labels.chart", 'metadata.labels["helm.sh/chart"]',
    ]  # fmt: skip
    pods = one([deployment(labels=own)], [deployment(labels=new)])
    assert (pods.bucket, len(pods.fields), pods.noise) == ("changed", 3, ())


def test_a_checksum_is_noise_and_masked_wherever_it_is():
    def with_checksum(value, **container):
        found = deployment(**container)
        found["spec"]["template"]["metadata"]["annotations"] = {"checksum/config": value}
        return found

    change = one([with_checksum("s3cr3t-1")], [with_checksum("s3cr3t-2")])
    assert change.bucket == "noise"
    assert change.noise[0].path == 'spec.template.metadata.annotations["checksum/config"]'
    assert (change.noise[0].before, change.noise[0].after) == ("<checksum>", "<checksum, changed>")
    both = one([with_checksum("s3cr3t-1")], [with_checksum("s3cr3t-2", image="api:2")])
    assert (both.bucket, len(both.fields), len(both.noise)) == ("changed", 1, 1)
    fresh = one([deployment()], [with_checksum("s3cr3t-2")])
    assert (fresh.bucket, fresh.noise[0].before, fresh.noise[0].after) == ("noise", UNSET, "<checksum>")
    added = one([], [with_checksum("s3cr3t-1")])
    assert "<checksum>" in added.diff
    for change in (change, both, fresh, added):  # noqa: B020  # all of them, whatever they are called above
        assert "s3cr3t" not in repr(change)


def test_hooks_are_marked_and_tests_are_not_applied():
    hook = body("Job", "h", "batch/v1", metadata={"annotations": {"helm.sh/hook": "pre-install,pre-upgrade"}})
    argo = body(
        "Job", "g", "batch/v1", metadata={"annotations": {"argocd.argoproj.io/hook": "PreSync", "helm.sh/hook": "test"}}
    )
    found = compare(b"", stream(hook, argo))
    assert [change.hook for change in found.changes] == ["PreSync", "pre-install,pre-upgrade"]
    test = body("Pod", "t", metadata={"annotations": {"helm.sh/hook": "test-success"}})
    assert compare(stream(test), stream(test)).warnings == ()
    found = compare(b"", stream(test))
    assert (found.changes, found.unchanged) == ((), 0)
    assert found.warnings == (
        "Pod/t differs, but as a hook of kind test-success it is never applied: it is not compared",
    )
    crd = body("CustomResourceDefinition", "c", metadata={"annotations": {"helm.sh/hook": "crd-install"}})
    assert one([], [crd]).hook is None


def rule(kind="Deployment", group="apps", **fields):
    return IgnoreDifference(group=group, kind=kind, **fields)


def scaled(count, **container):
    found = deployment(**container)
    found["spec"]["replicas"] = count
    return found


def test_ignored_fields_are_hidden_and_counted():
    ignore = [rule(json_pointers=("/spec/replicas", "/nothing/here", "no pointer", "/spec/template/spec/containers/7"))]
    change = one([scaled(2)], [scaled(3)], ignore=ignore)
    assert (change.bucket, change.hidden, change.fields, change.diff) == ("ignored", 1, (), "")
    change = one([scaled(2)], [scaled(3, image="api:2")], ignore=ignore)
    assert (change.bucket, change.hidden, len(change.fields)) == ("changed", 1, 1)
    assert "replicas: 3" not in change.diff
    for other in (rule(kind="StatefulSet"), rule(group=""), rule(name="web"), rule(namespace="x")):
        other = IgnoreDifference(**{name: getattr(other, name) for name in ("group", "kind", "name", "namespace")},
                                 json_pointers=("/spec/replicas",))  # fmt: skip
        assert one([scaled(2)], [scaled(3)], ignore=[other]).bucket == "changed"
    everywhere = [IgnoreDifference(group="*", kind="*", json_pointers=("/spec/replicas",))]
    assert one([scaled(2)], [scaled(3)], ignore=everywhere).bucket == "ignored"


def test_json_pointers_unescape_and_index():
    old = body(metadata={"annotations": {"a/b~c": "1"}}, items=[1, 2])
    new = body(metadata={"annotations": {"a/b~c": "2"}}, items=[3, 2])
    ignore = [rule("ConfigMap", "", json_pointers=("/metadata/annotations/a~1b~0c", "/items/0"))]
    assert one([old], [new], ignore=ignore).bucket == "ignored"


def test_jq_gets_masked_objects_and_what_it_returns_counts():
    seen = []

    def delete(expressions, objects):
        seen.append((expressions, objects))
        return [{**each, "data": {}} for each in objects]

    old, new = body("Secret", "s", data={"a": "b25l"}), body("Secret", "s", data={"a": "dHdv"})
    change = one([old], [new], ignore=[rule("Secret", "", jq_path_expressions=(".data",))], delete_jq=delete)
    assert (change.bucket, change.hidden) == ("ignored", 1)
    assert seen[0][0] == (".data",)
    assert "b25l" not in repr(seen)
    assert "dHdv" not in repr(seen)


def test_what_cannot_be_ignored_here_is_told():
    ignore = [rule(managed_fields_managers=("hpa",), jq_path_expressions=(".spec.replicas",))]
    found = compare(stream(scaled(2)), stream(scaled(3)), ignore=ignore)
    assert found.changes[0].bucket == "changed"
    assert len(found.warnings) == 2
    assert "hpa" in found.warnings[0]


# -- secrets ----------------------------------------------------------------------------------------------------------

WORDS = ("hunter2", "correct horse", "b4tt3ry")


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def test_a_secrets_values_are_masked_in_pairs():
    old = body("Secret", "s", data={"same": encoded(WORDS[0]), "other": encoded(WORDS[1]), "gone": encoded(WORDS[2])})
    new = body("Secret", "s", stringData={"same": WORDS[0], "other": WORDS[0], "come": WORDS[2]})
    change = one([old], [new])
    assert [(field.path, field.before, field.after) for field in change.fields] == [
        ("data.come", UNSET, "<secret>"), ("data.gone", "<secret>", UNSET),
        ("data.other", "<secret>", "<secret, changed>"),
    ]  # fmt: skip
    assert '-  other: "<secret>"\n+  other: "<secret, changed>"' in change.diff.replace(
        '+  come: "<secret>"\n', ""
    ).replace('-  gone: "<secret>"\n', "")


SECRETS = [
    body("Secret", "s", data={"k": encoded(WORDS[0])}),
    body("Secret", "s", stringData={"k": WORDS[0]}),
    body("Secret", "s", data={"k": f"not base64! {WORDS[0]}"}),
    body("Secret", "s", data=WORDS[0]),
    body("Secret", "s", data=[WORDS[0]]),
    body("Secret", "s", data={"k": {"deep": [WORDS[0]]}}),
    body("Secret", "s", stringData={"k": 1, "l": WORDS[0]}),
    body("Secret", "s", spec={"template": {"data": WORDS[0]}}),
    body("Secret", "s", api="acme.io/v1", data={"k": WORDS[0]}),
    body("Secret", "s", metadata={"annotations": {
        "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"data": {"k": WORDS[0]}})}}),
]  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS)
def test_no_value_of_a_secret_gets_out(secret):
    other = json.loads(json.dumps(secret).replace(WORDS[0], WORDS[2]).replace(encoded(WORDS[0]), encoded(WORDS[2])))
    name = body("Secret", "other", data={"k": "x"})
    results = [
        compare(stream(*pair[0]), stream(*pair[1]))
        for pair in (([secret], [other]), ([], [secret]), ([secret], []), ([secret, name], [other]), ([name], [secret]))
    ]
    assert results[0].changes[0].bucket == "changed"
    for word in WORDS:
        assert word not in repr(results)
        assert encoded(word) not in repr(results)


def test_nothing_links_two_keys_or_two_secrets():
    def diff(*values):
        bodies = [body("Secret", "s", data={"a": encoded(values[0]), "b": encoded(values[1])})]
        return one([body("Secret", "s", data={"a": encoded("1"), "b": encoded("2")})], bodies)

    assert diff("x", "x") == diff("x", "y") == diff("y", "x")


# -- the small print --------------------------------------------------------------------------------------------------


def test_images_are_told_by_container():
    change = one([deployment()], [deployment(image="api:2")])
    path = "spec.template.spec.containers[name=api].image"
    assert change.images == ((path, "api:1", "api:2"),)
    assert paths(change) == [path]
    assert one([], [deployment()]).images == ((path, None, "api:1"),)
    assert one([deployment()], []).images == ((path, "api:1", None),)


def test_one_is_not_true_and_one_is_one_point_nought():
    old, new = body("Thing", "x", "acme.io/v1", spec={"a": 1}), body("Thing", "x", "acme.io/v1", spec={"a": True})
    assert paths(one([old], [new])) == ["spec.a"]
    text = yaml.dump(old).encode()
    assert compare(text, text.replace(b"a: 1", b"a: 1.0")).changes == ()


def test_a_change_of_a_large_text_is_handed_to_the_function():
    asked = []

    def text_diff(before, after):
        asked.append((before, after))
        lines = before.splitlines()
        at = next(i for i, (a, b) in enumerate(zip(lines, after.splitlines(), strict=True)) if a != b)
        end = len(lines)
        return (f"--- a\n+++ b\n@@ -{at + 1},{end - at} +{at + 1},{end - at} @@\n"
                + "".join(f"-{line}\n" for line in lines[at:])
                + "".join(f"+{line}\n" for line in after.splitlines()[at:]))  # fmt: skip

    lines = [f"line {number}" for number in range(3000)]
    other = ["first", *lines[1:1500], "middle", *lines[1501:-1], "last"]
    old, new = body(data={"f": "\n".join(lines) + "\n"}), body(data={"f": "\n".join(other) + "\n"})
    change = one([old], [new], text_diff=text_diff)
    assert len(asked) == 1
    assert change.diff.count("\n-") == change.diff.count("\n+") == 3000
    module._memo = module._Memo()
    broken = one([old], [new], text_diff=lambda before, after: "nonsense\n@@ -1 +1 @@\n-x\n")
    assert broken.diff == change.diff
    module._memo = module._Memo()
