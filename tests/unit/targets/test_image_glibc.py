"""Wheels that do not declare their C library: their libraries are inspected."""

from types import SimpleNamespace
from zipfile import ZipFile

import pytest

from jupyter_deploy.container_images.glibc import require_runs, require_wheels_run
from jupyter_deploy.domain.errors import BaseUnfit

BASE = SimpleNamespace(name="registry.example/python", glibc=(2, 36), python=SimpleNamespace(version="3.11.2"))


def installed(prefix, tag, *versions):
    """A distribution with a library that needs these versions."""
    site = prefix / "lib" / "python3.11" / "site-packages"
    info = site / "torch-2.13.0+cpu.dist-info"
    info.mkdir(parents=True)
    (site / "libtorch.so.1").write_bytes(b"\x7fELF\0libc.so.6\0" + b"\0".join(versions) + b"\0")
    (info / "WHEEL").write_text(f"Wheel-Version: 1.0\nTag: cp311-cp311-{tag}\n")
    (info / "RECORD").write_text("libtorch.so.1,sha256=x,1\ntorch/gone.so,,\n")


@pytest.mark.parametrize(
    ("tag", "versions"),
    [
        ("linux_x86_64", [b"GLIBC_2.2.5", b"GLIBC_2.36"]),
        ("linux_x86_64", [b"GLIBC_PRIVATE", b"GLIBCXX_3.4.99", b"not GLIBC_2.99"]),
        ("manylinux_2_28_x86_64", [b"GLIBC_2.38"]),  # the installer has heeded it
    ],
)
def test_what_the_base_has_is_enough(tmp_path, tag, versions):
    installed(tmp_path, tag, *versions)
    require_runs(tmp_path, BASE)


def test_a_library_that_needs_a_newer_one_is_refused_by_name(tmp_path):
    installed(tmp_path, "linux_x86_64", b"GLIBC_2.2.5", b"GLIBC_2.38", b"GLIBC_2.4")
    with pytest.raises(BaseUnfit) as caught:
        require_runs(tmp_path, BASE)
    assert caught.value.message == (
        "torch 2.13.0+cpu needs glibc 2.38 (libtorch.so.1), and the base image registry.example/python has 2.36"
    )
    assert "manylinux" in caught.value.remedy


def test_so_is_a_wheel_that_an_engine_would_install(tmp_path):
    for name in ("torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl", "numpy-2.4.0-cp311-cp311-manylinux_2_28_x86_64.whl"):
        with ZipFile(tmp_path / name, "w") as wheel:
            wheel.writestr("lib/libtorch.so.1", b"\x7fELF\0libc.so.6\0GLIBC_2.38\0")
    with pytest.raises(BaseUnfit, match=r"torch 2\.13\.0\+cpu needs glibc 2\.38 \(libtorch\.so\.1\)"):
        require_wheels_run(tmp_path, BASE)
    wheel = tmp_path / "torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl"
    wheel.rename(tmp_path / "torch-2.13.0+cpu-cp313-cp313-linux_x86_64.whl")  # which that Python does not take
    require_wheels_run(tmp_path, BASE)
