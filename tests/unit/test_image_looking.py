"""What a base image is found to have, by the files in its layers."""

import pytest

from jupyter_deploy.container_images.base_inspection import inspect_layers
from tests.images import tar_of

GLIBC = {"lib/libc.so.6": b"stable release version 2.41"}


@pytest.mark.parametrize(
    "around",
    [
        b"\x00%s\x00",  # as a text of its own
        b"\x00/opt/pyenv/versions/%s\x00EXEC_PREFIX\x00",  # a linker has merged it with the end of the prefix
    ],
)
@pytest.mark.parametrize("where", ["usr/local/bin/python3.11", "usr/local/lib/libpython3.11.so.1.0"])
def test_a_pythons_version_is_read_out_of_its_program_or_library(tmp_path, where, around):
    layer = tmp_path / "layer.tar"
    layer.write_bytes(tar_of({"usr/local/bin/python3.11": b"ELF", where: around % b"3.11.7", **GLIBC}))
    pythons, glibc = inspect_layers([("application/vnd.oci.image.layer.v1.tar", layer)])
    assert pythons == [("/usr/local/bin/python3.11", "3.11.7")]
    assert glibc == (2, 41)
