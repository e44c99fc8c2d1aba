"""The plan hash names what would be applied, and nothing that may not be told."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from gitops_bot.manifests import secret_names, yaml
from gitops_bot.manifests.compare import compare
from gitops_bot.manifests.hidden import veil
from gitops_bot.manifests.objects import expand
from gitops_bot.manifests.plan import plan_hash
from gitops_bot.manifests.secret_hints import may_hide
from gitops_bot.manifests.yaml import YamlError
from tests.manifests.streams import STREAMS, body, deployment, stream


def plan(*bodies, namespace="n"):
    return plan_hash(stream(*bodies), namespace=namespace)


def test_it_is_a_sha256():
    assert plan().startswith("sha256:")
    assert len(plan()) == len("sha256:") + 64


def test_order_notation_comments_and_what_is_defaulted_do_not_count():
    one, other = body(), deployment(ports=[{"containerPort": 1}])
    whole = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [deployment(ports=[{"containerPort": 1, "protocol": "TCP"}]), one],
    }
    assert plan(one, other) == plan(other, one) == plan(whole)
    assert plan_hash(b"# c\n" + stream(one), namespace="n") == plan(one)
    assert plan(one) == plan(body(metadata={"namespace": "n"}))


def test_what_would_be_applied_counts():
    plans = [
        plan(), plan(body()), plan(body(data={"a": "1"})), plan(body(data={"a": "2"})), plan(body(name="y")),
        plan(body(), namespace="m"), plan(body("Secret")), plan(body("Secret", data={"a": "eA=="})),
        plan(body("Secret", data={"b": "eA=="})), plan(body(metadata={"labels": {"a": "b"}})),
        plan(body(metadata={"labels": {"helm.sh/chart": "b"}})),
    ]  # fmt: skip
    assert len(set(plans)) == len(plans)


def test_secrets_and_checksums_do_not_count_by_value():
    assert plan(body("Secret", data={"a": "eA=="})) == plan(body("Secret", stringData={"a": "else"}))
    sums = [plan(body(metadata={"annotations": annotations} if annotations else {}))
            for annotations in ({"checksum/a": "1"}, {"checksum/a": "2"}, None)]  # fmt: skip
    assert len(set(sums)) == 1


def test_hooks_that_never_run_do_not_count_and_the_last_of_one_identity_does():
    test = body("Pod", "t", metadata={"annotations": {"helm.sh/hook": "test"}})
    assert plan(body(), test) == plan(body())
    assert plan(body(data={"a": "1"}), body(data={"a": "2"})) == plan(body(data={"a": "2"}))


def test_an_error_names_the_line():
    with pytest.raises(YamlError, match="line 8: "):
        plan_hash(stream(body()) + b"---\n{a: 1\nb: [}", namespace="")


@settings(max_examples=200, deadline=None)
@given(STREAMS, STREAMS)
def test_no_difference_has_one_plan_and_a_change_has_two(old, new):
    base, head = stream(*old), stream(*new)
    found = compare(base, head, namespace="n")
    same = plan_hash(base, namespace="n") == plan_hash(head, namespace="n")
    masked = all(
        (change.key.kind == "Secret" and change.bucket == "changed")
        or change.bucket == "noise"
        or [field.path for field in change.fields] == ["metadata.namespace"]  # named, or left to the target
        for change in found.changes
    )
    assert same if not found.changes else not same or masked
    assert yaml.load_all(base) is not None


# -- what is not looked through ------------------------------------------------------------------------------------------


def _is_left_alone(text):
    """Whether nothing is masked in the objects of a text that is taken for harmless."""
    return may_hide(text) or all(veil(each) is each for each in expand(yaml.load_all(text))[0])


@pytest.mark.parametrize("name", [
    "password", "DB_PASS", "pgpass", "apiKey", "api__key", "SSH_KEY", "licenceKey", "encryption-key", "keytab", "JWT", "dsn",
    "auth", "salt", "connectionString", "SLACK_WEBHOOK_URL", "secretId", "clientsecret", "passwort", "CONFIG_HASH", "md5",
    "crc32", "config-sha", "checksum", "appKeys", "cookieKey", "unsealKey", "tokens", "pwd",
])  # fmt: skip
@pytest.mark.parametrize("value", ["0a1b2c3d4e5f60718293", "aGVsbG8gd29ybGQgYWdhaW4"])
def test_a_name_of_a_secret_is_never_taken_for_harmless(name, value):
    for given_body in (
        body(data={name: value}),
        body("Thing", api="acme.io/v1", spec={name: value, "list": [{"name": name, "value": value}]}),
        deployment(env=[{"name": name, "value": value}], args=[f"--{name}={value}", f"--{name}", value]),
        body(metadata={"labels": {name: value}, "annotations": {name: value}}),
    ):
        assert _is_left_alone(stream(given_body)), given_body
    assert may_hide(stream(body(data={name: value})))


@pytest.mark.parametrize("value", [
    "https://u:p4ssw0rd@h", "ghp_0123456789abcdef0123", "github_pat_0123456789abcdef0123", "glpat-0123456789abcdef0123",
    "xoxb-0123456789", "AKIAABCDEFGHIJKLMNOP", "ASIAABCDEFGHIJKLMNOP", "AIza0123456789abcdef0123456789abcdef", "eyJhbGciOi.eyJzdWIiOi.x",
    "sk-proj-0123456789abcdef0123", "sk_live_0123456789", "npm_0123456789abcdef0123456789abcd", "hf_0123456789abcdef01234567",
    "hvs.0123456789abcdef", "SG.0123456789ab.0123456789ab", "dckr_pat_0123456789abcdef", "shpat_0123456789abcdef", "$2a$10$abcdefghij",
    "-----BEGIN RSA PRIVATE KEY-----\nabc", "Bearer 0123456789.x", "curl -u me:pw1234 h", "db:5432:d:u:p4ssw0rd", "pypi-" + "a1" * 20,
    "ya29.0123456789abcdef", "dop_v1_" + "a1" * 16, "xapp-0123456789", "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQphYmM=", "rk_test_0123456789",
])  # fmt: skip
def test_what_looks_like_a_secret_is_never_taken_for_harmless(value):
    given_body = body(data={"note": value})
    assert veil(given_body) is not given_body
    assert may_hide(stream(given_body))


@settings(deadline=None)
@given(STREAMS)
def test_nothing_that_is_masked_is_taken_for_harmless(bodies):
    assert all(_is_left_alone(stream(each)) for each in bodies)


def test_every_word_of_the_rules_is_known():
    words = {*secret_names._STRONG, *secret_names._SECRET, *secret_names._HASHES, *secret_names._STRONG_ENDS}
    for word in sorted(words | {f"{before}Key" for before in secret_names._BEFORE_KEY}):
        assert may_hide(word.encode()), word


def test_escapes_and_kinds_are_looked_through():
    escaped = b'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {"p\\x61ssword": "%s"}\n'
    assert plan_hash(escaped % b"one", namespace="n") == plan_hash(escaped % b"two", namespace="n")
    assert may_hide(stream(body("Secret", data={"a": "eA=="})))
    assert may_hide(stream(body(binaryData={"a": "eA=="})))
    assert not may_hide(stream(body(data={"key": "a", "colour": "b"})))
    notes = [{"annotations": {"checksum/config": value}} for value in ("a" * 8, "b" * 8)]
    assert len({plan(body(metadata=each)) for each in (*notes, {})}) == 1
