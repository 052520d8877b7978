"""Which builds of a lock's distributions go into an image."""

import pytest

from jupyter_deploy.container_images.wheel_selection import manylinux, select_builds
from jupyter_deploy.domain.errors import InvalidInput

CUDA = {"numpy": "2.4", "nvidia-cublas-cu12": "12.6", "nvidia-ml-py": "13", "torch": "2.9.0", "triton": "3.5"}


def test_without_torch_a_lock_stays_as_it_is():
    lock = {"numpy": "2.4", "own": "1.0+ours", "nvidia-ml-py": "13"}
    assert select_builds(lock, gpu=False) == lock
    assert select_builds(lock, gpu=True) == lock


def test_without_a_gpu_torch_is_the_build_for_processors_and_what_cuda_needs_stays_away():
    assert select_builds(CUDA, gpu=False) == {"numpy": "2.4", "nvidia-ml-py": "13", "torch": "2.9.0+cpu"}
    labelled = CUDA | {"torch": "2.9.0+cu126", "torchvision": "0.24+cu126"}
    assert select_builds(labelled, gpu=False)["torchvision"] == "0.24+cpu"
    assert select_builds({"torch": "2.9.0+cpu"}, gpu=False) == {"torch": "2.9.0+cpu"}
    assert select_builds({"torch": "2.9.0"}, gpu=False) == {"torch": "2.9.0"}  # as on ARM: it brought no CUDA


def test_with_a_gpu_the_lock_stays_and_a_build_for_processors_is_refused():
    assert select_builds(CUDA, gpu=True) == CUDA
    with pytest.raises(InvalidInput, match=r"torch 2\.9\.0\+cpu, which cannot use a GPU"):
        select_builds({"torch": "2.9.0+cpu"}, gpu=True)


@pytest.mark.parametrize(
    ("glibc", "platform"),
    [((2, 17), "2_17"), ((2, 27), "2_17"), ((2, 36), "2_36"), ((2, 41), "2_40"), ((3, 0), "2_40")],
)
def test_wheels_are_those_that_the_bases_c_library_takes(glibc, platform):
    assert manylinux("linux-aarch64", glibc) == f"aarch64-manylinux_{platform}"


def test_a_base_that_is_too_old_for_any_wheel_is_refused():
    with pytest.raises(InvalidInput, match=r"glibc 2\.12 is too old"):
        manylinux("linux-x86_64", (2, 12))
