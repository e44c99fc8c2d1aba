"""The identity read from text is the identity that parsing gives."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_bot.manifests import objects
from gitops_bot.manifests.documents import split
from gitops_bot.manifests.objects import Head, heads
from tests.manifests.streams import STREAMS, stream

CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: things.acme.io
spec:
  group: acme.io
  names:
    plural: things
    kind: Thing
  scope: Cluster
  versions: []
"""


def test_a_definition_is_read_from_text():
    text = CRD.encode()
    assert objects._scan(text) == objects._parse(text)
    assert objects._scan(text).heads[0].defines == ("acme.io", "Thing", True)


DOCUMENTS = [
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n  namespace: prod\n",
    "kind: ConfigMap # c\nmetadata:\n    labels:\n        name: no\n    name: 'x'\napiVersion: \"v1\"\n",
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: 123\n",
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: on\n",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n",
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  generateName: x-\n",
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  "name": x\n',
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n  name: y\n",
    "apiVersion: v1\nkind: ConfigMap\nkind: Secret\nmetadata:\n  name: x\n",
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n  annotations:\n    helm.sh/hook: test\n",
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n  namespace:\n",
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n  namespace: ''\n",
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  annotations:\n    a: |\n      name: no\n  name: x\n",
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n# c\n  name: x\n\n  namespace: n\ndata:\n  name: no\n",
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n",
    "apiVersion: v1\nkind: ConfigMap\n<<: {kind: Other}\nmetadata:\n  name: x\n",
    "metadata:\n  name: x\nkind: ConfigMap\napiVersion: v1\n",
    CRD.replace("Cluster", "Namespaced"),
    CRD.replace("    kind: Thing\n", "").replace("versions: []", "versions:\n  - x:\n    kind: No\n"),
    CRD.replace("  names:\n    plural: things\n    kind: Thing\n", "  names: {kind: Thing}\n"),
]


@pytest.mark.parametrize("text", DOCUMENTS)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_text_and_parser_agree(text, ends):
    data = text.replace("\n", ends).encode()
    scanned = objects._scan(data)
    assert scanned is None or scanned == objects._parse(data)


@settings(max_examples=200, deadline=None)
@given(STREAMS, st.randoms())
def test_text_and_parser_agree_on_any_object(bodies, _random):
    for document in split(stream(*bodies)):
        scanned = objects._scan(document.text)
        assert scanned is None or scanned == objects._parse(document.text)


def test_plain_documents_are_not_parsed():
    assert objects._scan(DOCUMENTS[0].encode()) is not None
    assert objects._scan(CRD.encode()) is not None
    assert heads(split(DOCUMENTS[0].encode())[0]).heads == (Head("v1", "ConfigMap", "prod", "x"),)
