"""The format of a bento: the program, headers, variables and files by which nbdeploy and serving code work together.

Its number is the content of ``serving/VERSION``, which travels in the bento. It rises with each change that serving
code of another format would not understand.
"""

from __future__ import annotations

from pathlib import Path

from jupyter_deploy.domain.errors import TargetError
from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.system.clean_process import SERVING_FOLDER
from jupyter_deploy.system.digests import file_sha256, sha256

FILE = "VERSION"

FORMAT = (SERVING_FOLDER / FILE).read_text("ascii").strip()
"""The format of the bentos that this nbdeploy builds, and the only one that it runs."""


def format_of(bento: Path) -> str | None:
    """The format of a bento; None: it names none."""
    try:
        return (bento / "src" / "serving" / FILE).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None


def code_of(bento: Path) -> str:
    """The SHA-256 over the names and contents of a bento's code, without bytecode that Python caches."""
    return code_digest(bento / "src")


def code_digest(source: Path) -> str:
    """The SHA-256 over the names and contents of the files in a folder of code, without cached bytecode."""
    paths = (path.relative_to(source) for path in source.rglob("*") if path.is_file())
    files = sorted(path.as_posix() for path in paths if "__pycache__" not in path.parts)
    return sha256("".join(f"{name} {file_sha256(source / name)}\n" for name in files).encode())


def require_format(release: Release) -> None:
    """Raise if the bento of a release has another format; a release from an image has no bento here.

    Raises
    ------
    TargetError
    """
    bento = Path(release.path)
    if release.image is not None or not (bento / "src" / "serving").is_dir():
        return  # the start reports a missing bento
    found = format_of(bento)
    if found != FORMAT:
        named = "names no format" if found is None else f"has format {found}"
        raise TargetError(
            f"the bento of {release.tag} {named}; this nbdeploy runs bentos of format {FORMAT}",
            f"build it anew: 'nbdeploy stop {release.endpoint}', then 'nbdeploy deploy {release.tag} "
            f"--name {release.endpoint}'; in between the endpoint gives no answers",
        )


def require_code(release: Release) -> None:
    """Raise if the bento of a release has other code than was built; a release from an image has no bento here.

    Raises
    ------
    TargetError
    """
    source = Path(release.path) / "src"
    if release.image is None and release.code and source.is_dir() and code_of(source.parent) != release.code:
        raise TargetError(
            f"the code of {release.tag} in {source} has changed since it was built",
            f"if you did not change it, find out who did; then remove {source.parent}, 'nbdeploy stop "
            f"{release.endpoint}', 'nbdeploy deploy {release.tag} --name {release.endpoint}', which builds it anew",
        )
