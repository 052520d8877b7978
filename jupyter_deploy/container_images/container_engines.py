"""Container engines as builders of images: which is there, what it is asked with, what it leaves when it is cut off."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_deploy.domain.errors import ImageNotBuilt, ToolMissing

from .base_image import Base
from .dependencies import NOT_INSTALLED, REMEDY
from .layout import ref_name
from .programs import Completed, for_builders, masked, run, stream

_NAMES = ("buildah", "podman", "docker")
_PATIENCE = 30.0  # seconds that a question may take
_TAIL = 25  # lines of what an engine output that are told

_WITHOUT = "without an engine the daemonless builder makes the same image: leave out --builder"

# A build's settings come to it by a variable: no file is left by who is killed.
_SETTINGS = "NBDEPLOY_BUILD_SETTINGS"

_STEP = re.compile(r"(?:\[(\d+/\d+)\] )?STEP (\d+/\d+): (.*)")  # of buildah and podman
_STAGE = re.compile(r"#\d+ (\[.*)")  # of docker
_MADE = re.compile(r"--> ([0-9a-f]{12,64})")
_ID = re.compile(r"[0-9a-f]{64}")
_LONGEST = 70  # characters of an instruction that are told
_LONGEST_LINE = 300

# How an engine says which instruction failed.
_INSTALLING = re.compile(r"(?i:error).*/uv\W+pip\W+install")


@dataclass(frozen=True)
class Secrets:
    """What a build is to know, and nobody after it.

    Attributes
    ----------
    settings
        Its name, and the text.
    files
        Names and files of this machine.
    hidden
        What must not be shown of what the engine says.
    """

    settings: tuple[str, str]
    files: Mapping[str, Path]
    hidden: frozenset[str]


@dataclass
class _Made:
    """What a build made in an engine's storage: images by the ids that it says, and the base, if it was not there."""

    images: list[str] = field(default_factory=list)
    bases: list[str] = field(default_factory=list)

    def has(self, image: str) -> bool:
        return self.position(image) >= 0

    def position(self, image: str) -> int:
        """When it was made: the later, the higher; -1: never."""
        return max((position for position, one in enumerate(self.images) if image.startswith(one)), default=-1)


@dataclass(frozen=True)
class Engine:
    """One that answers.

    It does not inherit the store's lock, as other programs do: what it starts beside itself may stay for ever.

    Attributes
    ----------
    on_line
        Is told each line that it says.
    """

    name: str
    on_line: Callable[[str], None]

    def build(self, context: Path, store: Path, base: Base, secrets: Secrets, *, name: str, into: Path) -> None:
        """Build what the context's Containerfile says into a new layout with one image, its layers not compressed.

        Parameters
        ----------
        store
            An OCI layout that holds the base.
        name
            What the image is called in the engine's storage, where it stays: the next build starts from its layers.
            Docker's keeps the base, too.

        Raises
        ------
        ToolMissing
            skopeo.
        ImageNotBuilt
            With the engine's last lines.
        """
        loaded = base_name(base)
        if self.name == "docker":
            self._copy(f"oci:{store}:{ref_name(base.held)}", f"docker-daemon:{loaded}")
            self._run([*_dockers(context, base, name), *_secrets(secrets), str(context)], secrets)
            self._copy(f"docker-daemon:{name}:latest", f"oci:{into}:image")
            return
        with self._undone(base) as made:
            if not self._has(loaded):
                made.bases.append(loaded)
                self._copy(f"oci:{store}:{ref_name(base.held)}", f"containers-storage:{loaded}")
            output = self._run([*_buildahs(context, loaded, name), *_secrets(secrets), str(context)], secrets, made)
            self._copy(f"containers-storage:@{output}", f"oci:{into}:image")

    def _run(self, arguments: Sequence[str], secrets: Secrets, made: _Made | None = None) -> str:
        """The engine, at its work; the id of the image, which buildah and podman say last."""
        tail: list[str] = []
        variables = {**for_builders(), _SETTINGS: secrets.settings[1]}
        with stream(self.name, arguments, variables) as process:
            for raw in process.stdout or ():
                line = raw.decode(errors="replace").rstrip()
                tail = [*tail, line][-_TAIL:]
                found = _MADE.fullmatch(line)
                if found and made:
                    made.images.append(found[1])
                self.on_line(line)
        if process.returncode:
            installing = any(_INSTALLING.search(line) for line in tail)
            lines = masked("\n".join(filter(None, tail)), secrets.hidden).splitlines()
            shown = "\n".join(line[:_LONGEST_LINE] for line in lines)
            message = NOT_INSTALLED if installing else f"{self.name} could not build the image"
            raise ImageNotBuilt(message, REMEDY if installing else _WITHOUT, shown)
        return next((line for line in reversed(tail) if _ID.fullmatch(line)), "")

    def _copy(self, source: str, target: str) -> None:
        """By skopeo; what is not compressed stays so, since the store compresses the same on every machine."""
        arguments = ["copy", "--quiet", "--dest-oci-accept-uncompressed-layers", source, target]
        with stream("skopeo", arguments, for_builders()) as process:
            output = process.stdout.read().decode(errors="replace") if process.stdout else ""
        if process.returncode:
            raise ImageNotBuilt(f"skopeo could not bring {source} to {target}", _WITHOUT, masked(output.strip()))

    def _has(self, image: str) -> bool:
        return self._query(["inspect", "--type", "image", image]).code == 0

    @property
    def fixes_times(self) -> bool:
        """Whether all that it makes is of the beginning of 1970; else folders above what is copied are of today."""
        return self.name != "docker"

    @contextlib.contextmanager
    def _undone(self, base: Base) -> Iterator[_Made]:
        """Within, a build; whoever interrupts it finds nothing of it in the engine's storage afterwards.

        What failed stays: the next try goes on from there.
        """
        made, before = _Made(), self._containers().keys() | self._images()
        try:
            yield made
        except Exception:
            raise
        except BaseException:
            with contextlib.suppress(ToolMissing):
                self._clear(made, before, str(base.manifest["config"]["digest"]).removeprefix("sha256:"))
            raise

    def _clear(self, made: _Made, before: AbstractSet[str], base: str) -> None:
        """Remove what was made; somebody else's container is of another image, or was there before."""
        force = ["--force"] if self.name == "podman" else []
        for container, image in self._containers().items():
            if container not in before and (image == base or made.has(image)):
                self._query(["rm", *force, container])
        new = [image for image in self._images() - before if made.has(image)]
        for image in [*sorted(new, key=made.position, reverse=True), *made.bases]:
            self._query(["rmi", "--force", image])

    def _containers(self) -> dict[str, str]:
        """Those in which something is built now, by their ids, and the ids of their images."""
        if self.name == "podman":
            arguments = ["ps", "--all", "--external", "--no-trunc", "--format", "{{.ID}} {{.ImageID}}"]
        else:
            arguments = ["containers", "--notruncate", "--format", "{{.ContainerID}} {{.ImageID}}"]
        words = [line.split() for line in self._query(arguments).output.decode().splitlines()]
        return {found[0]: found[-1].removeprefix("sha256:") for found in words if found}

    def _images(self) -> set[str]:
        """The ids of all."""
        found = self._query(["images", "--all", "--quiet", "--no-trunc"]).output.decode().split()
        return {one.removeprefix("sha256:") for one in found}

    def _query(self, arguments: Sequence[str]) -> Completed:
        try:
            return run(self.name, arguments, for_builders(), patience=_PATIENCE)
        except TimeoutError as error:
            raise ToolMissing(f"{self.name} does not answer any more", _WITHOUT, str(error)) from error


def find() -> str:
    """The first engine that is there and answers.

    Raises
    ------
    ToolMissing
        None does; why, and what to do.
    """
    silent = []
    for name in _NAMES:
        try:
            ended = run(name, ["info"], for_builders(), patience=_PATIENCE)
        except ToolMissing:
            continue
        except TimeoutError as error:
            silent.append(str(error))
            continue
        if not ended.code:
            return name
        lines = ended.complaints.strip().splitlines() or [f"it ended with {ended.code}"]
        silent.append(f"{name}: {lines[-1]}")
    raise ToolMissing(
        "no container engine answers" if silent else "no container engine is installed",
        f"install buildah (apt-get install buildah), podman or docker; {_WITHOUT}",
        "\n".join(silent),
    )


def base_name(base: Base) -> str:
    """What a base is called in an engine's storage: the same wherever it came from."""
    return f"localhost/nbdeploy/base:{base.held.removeprefix('sha256:')[:12]}"


def in_words(line: str) -> str | None:
    """What a line of an engine says of how far it is; None: nothing."""
    found = _STEP.fullmatch(line)
    if found:
        stage = f"stage {found[1].replace('/', ' of ')}, " if found[1] else ""
        return f"{stage}step {found[2].replace('/', ' of ')}: {_short(found[3])}"
    stage_of_docker = _STAGE.fullmatch(line)
    return _short(stage_of_docker[1]) if stage_of_docker else None


def _short(instruction: str) -> str:
    plain = re.sub(r"--mount=\S+\s+", "", instruction)
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 1]}…"


def _buildahs(context: Path, base: str, name: str) -> list[str]:
    """The arguments of buildah, which are podman's too.

    The beginning of 1970 is the time of all; the label would be another one for each version of the engine. With a
    file for the id it would not say those of what it makes on the way.
    """
    return [
        "build", "--file", str(context / "Containerfile"), "--from", base, "--pull=never", "--layers", "--force-rm",
        "--timestamp", "0", "--identity-label=false", "--format", "oci", "--network", "host",
        "--security-opt", "label=disable", "--tag", name,
    ]  # fmt: skip


def _dockers(context: Path, base: Base, name: str) -> list[str]:
    """The arguments of docker, which has the base by then.

    What its daemon keeps is loaded and fetched: not every daemon writes OCI's format, and that could fix the times of
    what is above the base only with those of the base, whose layers would be others then.
    """
    loaded = base_name(base)
    named = ["--build-context", f"{base.name}@{base.digest}=docker-image://{loaded}"] if base.pinned else []
    return [
        "buildx", "build", "--file", str(context / "Containerfile"), "--progress", "plain", "--network", "host",
        *named, "--build-arg", "SOURCE_DATE_EPOCH=0", "--provenance=false", "--sbom=false", "--tag", name, "--load",
    ]  # fmt: skip


def _secrets(secrets: Secrets) -> list[str]:
    options = [f"id={secrets.settings[0]},type=env,src={_SETTINGS}"]
    options += [f"id={name},type=file,src={file}" for name, file in secrets.files.items()]
    return [word for one in options for word in ("--secret", one)]
