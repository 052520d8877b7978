"""Which builds of a lock's distributions go into an image. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from packaging.utils import canonicalize_name
from packaging.version import Version

from jupyter_deploy.domain.errors import InvalidInput

# Of these there are builds for processors alone and for CUDA, told apart by a local label (+cpu, +cu126) or the index.
_TORCH = ("torch", "torchaudio", "torchvision")

# What the CUDA builds require; BentoML requires nvidia-ml-py, which only asks what there is.
_CUDA = re.compile(r"(?:nvidia|cuda)-(?!ml-py$).+|triton")

# The manylinux platforms that uv can resolve for, by glibc's minor version.
_MANYLINUX = (17, 28, *range(31, 41))


def select_builds(lock: Mapping[str, str], *, gpu: bool) -> dict[str, str]:
    """A lock's distributions as they are to be installed; local labels stay, since they say which build it was.

    Without a GPU a CUDA build of torch becomes the one for processors, and what only that build required is left out.

    Raises
    ------
    InvalidInput
        A GPU is asked for, and the notebook had the build for processors: what CUDA needs is not in its lock.
    """
    torch = {name: Version(version) for name, version in lock.items() if canonicalize_name(name) in _TORCH}
    cuda = {name for name in lock if _CUDA.fullmatch(canonicalize_name(name))}
    for name, version in torch.items() if gpu else ():
        if version.local == "cpu":
            raise InvalidInput(
                f"the notebook ran on {name} {version}, which cannot use a GPU, and the image is to have one",
                "deploy it from an environment with the CUDA build, or publish without a GPU",
            )
    for_cuda = [name for name, one in torch.items() if (one.local or ("cu" if cuda else "")).startswith("cu")]
    if gpu or not for_cuda:
        return dict(lock)
    processors = {name: f"{torch[name].public}+cpu" for name in for_cuda}
    return {name: processors.get(name, version) for name, version in lock.items() if name not in cuda}


def manylinux(platform: str, glibc: tuple[int, int]) -> str:
    """What uv calls a platform: that of ``linux-x86_64`` with glibc 2.36 is ``x86_64-manylinux_2_36``.

    Raises
    ------
    InvalidInput
        It is too old for any wheel.
    """
    processor = platform.partition("-")[2]
    fitting = [minor for minor in _MANYLINUX if (2, minor) <= glibc]
    if not fitting:
        raise InvalidInput(
            f"glibc {glibc[0]}.{glibc[1]} is older than what wheels are built for", "take a newer base image"
        )
    return f"{processor}-manylinux_2_{fitting[-1]}"
