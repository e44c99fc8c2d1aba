from __future__ import annotations

import pytest

from gitops_bot.writeback.editor.edit import Edit, edit
from gitops_bot.writeback.editor.markers import find_markers
from tests.counting import steps

FILE = """\
image:
  repository: ghcr.io/acme/api # {"$imagepolicy": "flux-system:api:name"}
  tag: v1 # {"$imagepolicy": "flux-system:api:tag"}
  digest: # gitops-bot: image ghcr.io/acme/api:digest
containers:
- image: ghcr.io/acme/web:v1  # {"$imagepolicy": "flux-system:web"}
- {name: x, image: ghcr.io/acme/api:v1}  # gitops-bot: image ghcr.io/acme/api
- image: localhost:5000/api:v1 # gitops-bot: image localhost:5000/api
- é: 🎉 # gitops-bot: image ghcr.io/acme/ü:tag
model:
  version: "3"\t# gitops-bot: model churn-model:version
  path: s3://m/3/ # gitops-bot: model churn-model:path
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_markers_are_found_beside_their_values(newline, mark):
    data = (mark + FILE.replace("\n", newline)).encode()
    markers = find_markers(data)
    assert markers.problems == ()
    assert [(each.what, each.name, each.part, str(each.address), each.line, each.value) for each in markers.found] == [
        ("policy", "flux-system:api", "name", "image.repository", 2, "ghcr.io/acme/api"),
        ("policy", "flux-system:api", "tag", "image.tag", 3, "v1"),
        ("image", "ghcr.io/acme/api", "digest", "image.digest", 4, ""),
        ("policy", "flux-system:web", "", "containers[0].image", 6, "ghcr.io/acme/web:v1"),
        ("image", "ghcr.io/acme/api", "", "containers[1].image", 7, "ghcr.io/acme/api:v1"),
        ("image", "localhost:5000/api", "", "containers[2].image", 8, "localhost:5000/api:v1"),
        ("image", "ghcr.io/acme/ü", "tag", "containers[3].é", 9, "🎉"),
        ("model", "churn-model", "version", "model.version", 11, "3"),
        ("model", "churn-model", "path", "model.path", 12, "s3://m/3/"),
    ]
    edited = edit(data, [Edit(address=each.address, value="v9") for each in markers.found])
    assert [each.line for each in edited.outcomes] == [each.line for each in markers.found]
    assert [each.value for each in find_markers(edited.data).found] == ["v9"] * 9


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('a: v # {"$imagepolicy": "api"}\n', "namespace:policy"),
        ('a: v # {"$imagepolicy": "ns:api:what"}\n', "namespace:policy"),
        ("a: v # gitops-bot: image\n", "is not of the form"),
        ("a: v # gitops-bot: picture x\n", "is not of the form"),
        ("a: v # gitops-bot: model churn-model\n", "ends in one of :version, :path, :data"),
        ("# gitops-bot: image x:tag\na: v\n", "stands beside no value"),
        ("a: # gitops-bot: image x:tag\n  b: v\n", "stands beside no value"),
        ("a: | # gitops-bot: image x:tag\n  b\n", "stands beside no value"),
        ("a: &x # gitops-bot: image x:tag\n  v\n", "stands beside no value"),
        ("a: v # gitops-bot: image x:tag\nb: {\n", "line 2"),
    ],
)
def test_markers_that_say_nothing_are_problems(text, reason):
    markers = find_markers(text.encode())
    assert markers.found == ()
    assert reason in markers.problems[0].told
    assert markers.problems[0].line


def test_text_that_looks_like_a_marker_is_none():
    text = "a: 'x # gitops-bot: image y:tag'\nb: |\n  c: v # gitops-bot: image y:tag\nc: v#gitops-bot:image-y:tag\n"
    assert find_markers(text.encode()) == ((), ())


def test_files_without_markers_are_not_even_parsed():
    assert find_markers(b"a: {\n") == ((), ())


def test_many_markers_are_work_in_proportion():
    def work(count: int) -> int:
        data = b"".join(b"k%d: v # gitops-bot: image ghcr.io/acme/api:tag\n" % number for number in range(count))
        assert len(find_markers(data).found) == count
        return steps(lambda: find_markers(data))

    assert work(2_000) < 10 * work(200) * 1.5
