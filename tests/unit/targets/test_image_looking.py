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
    pythons, glibc, packages = inspect_layers([("application/vnd.oci.image.layer.v1.tar", layer)])
    assert pythons == [("/usr/local/bin/python3.11", "3.11.7")]
    assert glibc == (2, 41)
    assert packages == []


STATUS = b"""Package: libc6
Status: install ok installed
Maintainer: GNU Libc Maintainers <libc@lists.example>
Architecture: amd64
Version: 2.36-9
Description: GNU C Library
 Package: in a description

Package: removed
Status: deinstall ok config-files
Version: 1
"""


def test_the_packages_of_debian_are_read_from_its_package_managers_notes(tmp_path):
    release = b'NAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="12"\n'
    single = b"Package: tzdata\nVersion: 2026a\nArchitecture: all\nMaintainer: Ada <a@b.example>\n"
    files = {"var/lib/dpkg/status": STATUS, "var/lib/dpkg/status.d/tzdata": single, "etc/os-release": release}
    layer = tmp_path / "layer.tar"
    layer.write_bytes(tar_of(files | GLIBC))
    found = inspect_layers([("application/vnd.oci.image.layer.v1.tar", layer)]).packages
    assert found == [
        ("libc6", "2.36-9", "amd64", "GNU Libc Maintainers <libc@lists.example>", "debian-12"),
        ("tzdata", "2026a", "all", "Ada <a@b.example>", "debian-12"),
    ]
