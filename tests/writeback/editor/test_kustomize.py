"""Images of a kustomization: what the entry has afterwards is what `kustomize edit set image` gives it."""

from __future__ import annotations

import itertools
import subprocess

import pytest

from gitops_bot.writeback.editor.address import parse
from gitops_bot.writeback.editor.edit import edit
from gitops_bot.writeback.editor.kustomize import image_edits
from gitops_bot.writeback.editor.problems import EditRefused
from tests.writeback.editor import readers

OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64
ENTRIES = {
    "a tag": "  newTag: v1 # c\n",
    "a digest": f"  digest: {OLD} # c\n",
    "both": f"  newTag: v1 # c\n  digest: {OLD}\n",
    "a name and a tag": "  newName: other\n  newTag: v1\n",
    "nothing": "",
}
GIVEN = {
    "a tag": ("v2", None, None),
    "a number-like tag": ("1.10", None, None),
    "a digest": (None, NEW, None),
    "both": ("v2", NEW, None),
    "a name and a tag": ("v2", None, "moved"),
}


@pytest.mark.parametrize(("has", "given"), list(itertools.product(ENTRIES, GIVEN)))
def test_an_entry_becomes_what_kustomize_would_make_it(has, given, tmp_path, kustomize):
    tag, digest, name = GIVEN[given]
    before = f"# ours\nresources: [pod.yaml]\nimages:\n- name: first\n  newTag: x\n- name: api\n{ENTRIES[has]}# end\n".encode()
    edited = edit(before, image_edits(before, "api", tag=tag, digest=digest, new_name=name))
    ours = readers.ruamel(edited.data)[0]["images"][1]

    (tmp_path / "kustomization.yaml").write_bytes(before)
    (tmp_path / "pod.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: api:v0}]}\n"
    )
    image = f"api={name or ''}" if name else "api"
    image += (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    subprocess.run([kustomize, "edit", "set", "image", image], cwd=tmp_path, check=True)
    theirs = readers.ruamel((tmp_path / "kustomization.yaml").read_bytes())[0]["images"]
    theirs = next(each for each in theirs if each["name"] == "api")
    assert {key: ours.get(key) for key in ("newTag", "digest")} == {
        key: theirs.get(key) for key in ("newTag", "digest")
    }
    assert ours.get("newName") == (name or ("other" if has == "a name and a tag" else None))

    (tmp_path / "kustomization.yaml").write_bytes(edited.data)
    built = subprocess.run([kustomize, "build"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    final = ours.get("newName", "api") + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    assert f"image: {final}\n" in built
    assert edited.data.startswith(b"# ours\nresources: [pod.yaml]\nimages:\n- name: first\n  newTag: x\n- name: api\n")
    assert edited.data.endswith(b"# end\n")


def test_an_entry_that_is_not_there_is_only_created_when_asked():
    before = b"images:\n- name: web\n  newTag: v1\n"
    edits = image_edits(before, "api", tag="v2", digest=NEW)
    with pytest.raises(EditRefused, match="images has no item with name api"):
        edit(before, edits)
    after = edit(before, edits, create=True).data
    assert after == before + f"- name: api\n  newTag: v2\n  digest: {NEW}\n".encode()


def test_flux_has_its_images_elsewhere():
    before = b"spec:\n  images:\n  - {name: api, digest: x}\n"
    edited = edit(before, image_edits(before, "api", tag="v2", images=parse("spec.images")))
    assert edited.data == b"spec:\n  images:\n  - {name: api, newTag: v2}\n"


def test_two_entries_of_one_name_are_refused():
    with pytest.raises(EditRefused, match="ambiguous: 2 items"):
        image_edits(b"images:\n- name: api\n- name: api\n", "api", tag="v2")
