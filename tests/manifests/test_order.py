"""Objects come in Argo CD's order, and a printed rendering shows no secret."""

from __future__ import annotations

from hypothesis import given, settings

from gitops_bot.manifests import yaml
from gitops_bot.manifests.hashed_names import SUFFIX
from gitops_bot.manifests.objects import head_of
from gitops_bot.manifests.order import mask_stream, sort_key
from tests.manifests.streams import STREAMS, body, stream


def test_kinds_come_in_argo_cds_order():
    bodies = [
        body("Thing", "a", "acme.io/v1"), body("Ingress", "a", "networking.k8s.io/v1"), body("Deployment", "b", "apps/v1"),
        body("Deployment", "a", "apps/v1"), body("Service"), body("CustomResourceDefinition"), body("ConfigMap"),
        body("Secret"), body("ServiceAccount"), body("Namespace"), body("Another", "z", "acme.io/v1"),
    ]  # fmt: skip
    ordered = [head.kind + head.name for head in sorted(map(head_of, bodies), key=sort_key)]
    assert ordered == [
        "Namespacex", "ServiceAccountx", "Secretx", "ConfigMapx", "CustomResourceDefinitionx", "Servicex",
        "Deploymenta", "Deploymentb", "Ingressa", "Anotherz", "Thinga",
    ]  # fmt: skip


def test_documents_without_secrets_stay_as_they_are():
    text = b"---\n# Source: x\na:   1 # c\n--- {b: 1}\n---\nkind: 'ConfigMap'\n"
    assert mask_stream(text) == b"---\na:   1 # c\n--- {b: 1}\n---\nkind: 'ConfigMap'\n"


def test_secrets_are_masked_in_any_form():
    secret = body("Secret", "s", stringData={"k": "hunter2"})
    forms = [
        stream(secret),
        stream({"apiVersion": "v1", "kind": "List", "items": [body(), secret]}),
        stream(
            {"apiVersion": "v1", "kind": "SecretList", "items": [{"metadata": {"name": "s"}, "data": {"k": "hunter2"}}]}
        ),
        b'{"apiVersion": "v1", "kind": "\\u0053ecret", "metadata": {"name": "s"}, "data": {"k": "hunter2"}}',
        b"kind: Secret\ndata: hunter2\n",
        b"--- {kind: Secret, data: hunter2}\n",
        b"- kind: Secret\n  data: hunter2\n",
    ]
    for form in forms:
        masked = mask_stream(form)
        assert b"hunter2" not in masked
        assert b"aHVudGVyMg" not in masked
        yaml.load_all(masked)
    assert b'k: "<secret>"' in mask_stream(forms[0])


@settings(max_examples=100, deadline=None)
@given(STREAMS)
def test_masking_keeps_every_object(bodies):
    masked = yaml.load_all(mask_stream(stream(*bodies)))
    assert [(each["kind"], SUFFIX.sub(r"\1", each["metadata"]["name"])) for each in masked] == [
        (each["kind"], SUFFIX.sub(r"\1", each["metadata"]["name"])) for each in bodies
    ]
    if not any(each["kind"] == "Secret" for each in bodies):
        assert [without_checksums(each) for each in masked] == [
            without_checksums(yaml.load(yaml.dump(each).encode())) for each in bodies
        ]


def without_checksums(value):
    if isinstance(value, dict):
        return {key: without_checksums(item) for key, item in value.items() if key != "checksum/x"}
    return [without_checksums(item) for item in value] if isinstance(value, list) else value
