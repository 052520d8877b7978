"""The builds of a lock's distributions for an image. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from packaging.utils import canonicalize_name
from packaging.version import Version

from jupyter_deploy.domain.errors import InvalidInput

# These have builds for CPUs and for CUDA, with different local labels (+cpu, +cu126) or indexes.
_TORCH = ("torch", "torchaudio", "torchvision")

# Requirements of CUDA builds; nvidia-ml-py, which BentoML requires, only queries devices.
_CUDA = re.compile(r"(?:nvidia|cuda)-(?!ml-py$).+|triton")

# The manylinux platforms that uv can resolve for, by glibc's minor version.
_MANYLINUX = (17, 28, *range(31, 41))


def select_builds(lock: Mapping[str, str], *, gpu: bool) -> dict[str, str]:
    """A lock's distributions with the builds to install; local labels stay, since they name the build.

    Without a GPU, the CPU build of torch replaces a CUDA build, whose own requirements are omitted.

    Raises
    ------
    InvalidInput
        A GPU is requested, and the notebook had the CPU build, whose lock lacks the CUDA libraries.
    """
    torch = {name: Version(version) for name, version in lock.items() if canonicalize_name(name) in _TORCH}
    cuda = {name for name in lock if _CUDA.fullmatch(canonicalize_name(name))}
    for name, version in torch.items() if gpu else ():
        if version.local == "cpu":
            raise InvalidInput(
                f"the notebook ran on {name} {version}, which cannot use a GPU, and the image is to have one",
                "deploy it from an environment with the CUDA build, or publish without a GPU",
            )
    for_cuda = [name for name, version in torch.items() if (version.local or ("cu" if cuda else "")).startswith("cu")]
    if gpu or not for_cuda:
        return dict(lock)
    processors = {name: f"{torch[name].public}+cpu" for name in for_cuda}
    return {name: processors.get(name, version) for name, version in lock.items() if name not in cuda}


def manylinux(platform: str, glibc: tuple[int, int]) -> str:
    """The name of a platform for uv: ``linux-x86_64`` with glibc 2.36 is ``x86_64-manylinux_2_36``.

    Raises
    ------
    InvalidInput
        glibc is too old for any wheel.
    """
    processor = platform.partition("-")[2]
    fitting = [minor for minor in _MANYLINUX if (2, minor) <= glibc]
    if not fitting:
        raise InvalidInput(f"glibc {glibc[0]}.{glibc[1]} is too old for wheels", "take a newer base image")
    return f"{processor}-manylinux_2_{fitting[-1]}"
