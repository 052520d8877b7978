"""The content of an image, read from its layers, equals that of a container."""

from hashlib import sha256

import pytest

from jupyter_deploy.container_images.contents import LayerContents
from jupyter_deploy.container_images.layout import ImageFolder
from jupyter_deploy.domain.errors import StoreError
from tests.kept_images import archive, keep_image

MODEL, BENTO = "/opt/models/a", "/opt/bento.py"


@pytest.fixture
def seen(tmp_path):
    """Of an image of these layers, the content of MODEL and BENTO."""
    store = ImageFolder(tmp_path / "images")

    def read(*layers):
        image = keep_image(store, *layers)
        return LayerContents().read(store.folder, image.digest, (MODEL, BENTO))

    return read


def test_files_come_from_whichever_layer_has_them_packed_or_not(seen):
    assert seen(archive([(MODEL, b"one")], compressed=True), archive([(BENTO, b"two")])) == {
        MODEL: b"one",
        BENTO: b"two",
    }


def test_of_a_file_in_several_layers_the_uppermost_counts_and_of_one_twice_in_a_layer_the_last(seen):
    lower, upper = archive([(MODEL, b"old")]), archive([(MODEL, b"older"), (MODEL, b"new")])
    assert seen(lower, upper) == {MODEL: b"new"}


@pytest.mark.parametrize(
    "covering",
    [
        [("/opt/models/.wh.a", b"")],
        [("/opt/.wh.models", b"")],
        [("/opt/models/.wh..wh..opq", b"")],
        [(MODEL, "/etc/passwd")],
        [("/opt/models", "/elsewhere")],
    ],
    ids=["it was removed", "its folder was", "all in its folder was", "a link is there", "its folder is a link"],
)
def test_what_an_upper_layer_hides_is_not_there(seen, covering):
    assert seen(archive([(MODEL, b"one"), (BENTO, b"two")]), archive(covering)) == {BENTO: b"two"}


def test_what_is_behind_a_link_of_the_same_layer_does_not_count_either(seen):
    assert seen(archive([(MODEL, b"one"), ("/opt/models", "/elsewhere"), (BENTO, b"two")])) == {BENTO: b"two"}


def test_a_folder_that_comes_again_hides_nothing(seen):
    assert seen(archive([(MODEL, b"one")]), archive([("/opt", None), ("/opt/models", None)])) == {MODEL: b"one"}


def test_a_file_is_hashed_where_it_is(tmp_path):
    store = ImageFolder(tmp_path / "images")
    image = keep_image(store, archive([(MODEL, b"weights")]))
    found = LayerContents().sha256(store.folder, image.digest, [MODEL, "/opt/no"])
    assert found == {MODEL: sha256(b"weights").hexdigest()}


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    "damage", [lambda content: content[:-1] + b"x", lambda content: content[: len(content) // 2], lambda _: None]
)
def test_a_layer_that_is_damaged_or_gone_is_an_error_that_names_it(tmp_path, damage, compressed):
    store = ImageFolder(tmp_path / "images")
    image = keep_image(store, archive([(MODEL, bytes(2000))], compressed=compressed))
    blob = store.blob(image.layers[0].digest)
    content = damage(blob.read_bytes())
    blob.unlink()
    if content is not None:
        blob.write_bytes(content)
    with pytest.raises(StoreError, match="is missing or damaged") as refused:
        LayerContents().sha256(store.folder, image.digest, [MODEL])
    assert image.layers[0].digest in refused.value.message
