"""The image store: any tool reads it, nothing that is used goes, nothing half-made counts."""

import json
import os
import stat
import subprocess
import threading

import pytest

from jupyter_deploy.container_images import layout
from jupyter_deploy.container_images.layout import ImageFolder, ref_name
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.system.digests import sha256
from tests.e2e.conftest import until
from tests.e2e.processes import waits_for_a_lock
from tests.images import tar_of, write_layout

LABELS = {"io.nbdeploy.snapshot": "churn:1", "io.nbdeploy.snapshot.digest": "sha256:5"}


@pytest.fixture
def store(tmp_path):
    return ImageFolder(tmp_path / "home" / "images")


def put_layer(writing, content):
    file = writing.making / "layer"
    file.write_bytes(content)
    digest = f"sha256:{sha256(content)}"
    writing.take(file, digest)
    return digest


def put(store, *layers, labels=LABELS, base="sha256:b"):
    """An image of these layers; its digest."""
    with store.writing() as writing:
        described = [
            {
                "mediaType": layout.LAYER_TYPE,
                "digest": put_layer(writing, content),
                "size": len(content),
                "annotations": {layout.LAYER_KIND: "model", layout.TITLE: f"file {number}"},
            }
            for number, content in enumerate(layers)
        ]
        config = {"os": "linux", "architecture": "amd64", "config": {"Labels": labels}}
        config["rootfs"] = {"type": "layers", "diff_ids": [one["digest"] for one in described]}
        manifest = {
            "schemaVersion": 2,
            "mediaType": layout.MANIFEST_TYPE,
            "config": writing.put(json.dumps(config).encode(), layout.CONFIG_TYPE),
            "layers": described,
            "annotations": {layout.BUILDER: "daemonless", layout.PYTHON: "3.11.2", layout.BASE_DIGEST: base},
        }
        entry = writing.put(json.dumps(manifest).encode(), layout.MANIFEST_TYPE)
        writing.enter(entry, {layout.BASE_NAME: "registry.example/debian"})
    return entry["digest"]


def blobs(store):
    return {path.name for path in (store.folder / "blobs" / "sha256").iterdir()}


def test_an_image_is_what_its_own_documents_say(store):
    digest = put(store, tar_of({"a": b"1"}), tar_of({"b": b"22"}))
    (image,) = store.images()
    assert image == store.image(digest)
    assert (image.digest, image.snapshot, image.snapshot_digest) == (digest, "churn:1", "sha256:5")
    assert (image.builder, image.platform, image.python) == ("daemonless", "linux/amd64", "3.11.2")
    assert image.base == "registry.example/debian@sha256:b"
    assert [(layer.kind, layer.title) for layer in image.layers] == [("model", "file 0"), ("model", "file 1")]
    assert store.image("sha256:0") is None


def test_the_newest_is_first_and_one_that_is_built_again_is_the_newest(store):
    first, second = put(store, b"1"), put(store, b"2")
    assert [image.digest for image in store.images()] == [second, first]
    assert put(store, b"1") == first
    assert [image.digest for image in store.images()] == [first, second]


def test_skopeo_reads_it(store):
    digest = put(store, tar_of({"a": b"1"}))
    told = subprocess.run(
        ["skopeo", "inspect", f"oci:{store.folder}:{ref_name(digest)}"], capture_output=True, text=True, check=True
    )
    assert json.loads(told.stdout)["Digest"] == digest


def test_it_is_for_its_owner_alone(store):
    before = os.umask(0)
    try:
        put(store, b"1")
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [store.folder, *store.folder.rglob("*")]}
    assert {path: oct(mode) for path, mode in modes.items() if mode & 0o077} == {}


def test_what_another_image_uses_stays_and_what_a_killed_build_left_goes(store):
    shared, own = tar_of({"shared": b"1" * 1000}), tar_of({"own": b"2" * 1000})
    first, second = put(store, shared, own), put(store, shared)
    before = blobs(store)
    with store.writing() as writing:
        orphan = put_layer(writing, b"of a killed build")
    freed = store.remove([first], dry_run=True)
    assert blobs(store) == before | {orphan.removeprefix("sha256:")}
    assert len(store.images()) == 2
    size = sum(path.stat().st_size for path in (store.folder / "blobs" / "sha256").iterdir())
    assert store.remove([first], dry_run=False) == freed
    assert sum(path.stat().st_size for path in (store.folder / "blobs" / "sha256").iterdir()) == size - freed
    assert sha256(own) not in blobs(store)
    (left,) = store.images()
    assert left.digest == second
    assert all(store.blob(layer.digest).exists() for layer in left.layers)
    assert store.remove([], dry_run=False) == 0


def test_a_base_goes_with_the_last_image_on_it(store, tmp_path):
    write_layout(tmp_path / "base", [tar_of({"python": b"1"})])
    with store.writing() as writing:
        (writing.making / "base").mkdir()
        subprocess.run(["cp", "-r", f"{tmp_path}/base/.", writing.making / "base"], check=True)
        base = writing.adopt(writing.making / "base")
        writing.enter(base, {layout.BASE_KEY: "key", layout.BASE_DIGEST: base["digest"]})
        writing.keep("bases", "key", {"digest": base["digest"], "size": base["size"]})
    first, second = (put(store, content, base=base["digest"]) for content in (b"1", b"2"))
    assert {image.digest for image in store.images()} == {first, second}  # a base is no image of ours
    store.remove([first], dry_run=False)
    assert store.blob(base["digest"]).exists()
    assert (store.folder / "kept" / "bases" / "key.json").exists()
    store.remove([second], dry_run=False)
    assert blobs(store) == set()
    assert list((store.folder / "kept").glob("*/*")) == []


def test_a_note_about_a_layer_that_is_gone_or_was_cut_does_not_count(store):
    with store.writing() as writing:
        digest = put_layer(writing, b"content")
        writing.keep("layers", "key", {"digest": digest, "size": 7})
        assert writing.kept("layers", "key") == {"digest": digest, "size": 7}
        store.blob(digest).write_bytes(b"con")
        assert writing.kept("layers", "key") is None
        assert writing.kept("layers", "another") is None


def test_a_blob_that_is_not_what_its_name_says_is_not_taken(store, tmp_path):
    write_layout(tmp_path / "base", [tar_of({"python": b"1"})])
    blob = max((tmp_path / "base" / "blobs" / "sha256").iterdir())
    blob.write_bytes(b"something else")
    with pytest.raises(StoreError, match="is damaged"), store.writing() as writing:
        writing.adopt(tmp_path / "base")
    assert store.images() == []


def test_a_second_writer_waits_and_partial_files_are_removed(store):
    order = []
    entered, go_on = threading.Event(), threading.Event()

    def first():
        with store.writing() as writing:
            (writing.making / "half").write_text("made")
            entered.set()
            go_on.wait(60)
            order.append("first")

    def second():
        with store.writing() as writing:
            order.append(("second", list(writing.making.iterdir())))

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert entered.wait(60)
    threads[1].start()
    until(waits_for_a_lock)
    go_on.set()
    for thread in threads:
        thread.join(60)
    assert order == ["first", ("second", [])]
    assert not (store.folder / "making").exists()


def test_a_broken_index_is_an_error_with_its_path(store):
    put(store, b"1")
    (store.folder / "index.json").write_text("{")
    with pytest.raises(StoreError, match=r"index\.json cannot be read"):
        store.images()


def test_asking_an_empty_store_makes_nothing(store):
    assert store.images() == []
    assert store.image("sha256:0") is None
    assert store.remove(["sha256:0"], dry_run=False) == 0
    assert not store.folder.exists()
