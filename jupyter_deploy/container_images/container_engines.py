"""Container engines as builders of images: their choice, command lines, and the cleanup after an interrupted build."""

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
_PATIENCE = 30.0  # seconds that a query may take
_TAIL = 25  # lines of an engine's output in an error

_WITHOUT = "without an engine the daemonless builder makes the same image: leave out --builder"

# A build gets its settings by a variable: a killed build leaves no file.
_SETTINGS = "NBDEPLOY_BUILD_SETTINGS"

_STEP = re.compile(r"(?:\[(\d+/\d+)\] )?STEP (\d+/\d+): (.*)")  # of buildah and podman
_STAGE = re.compile(r"#\d+ (\[.*)")  # of docker
_MADE = re.compile(r"--> ([0-9a-f]{12,64})")
_ID = re.compile(r"[0-9a-f]{64}")
_LONGEST = 70  # characters of an instruction in a progress message
_LONGEST_LINE = 300

# An engine's line for the instruction that failed.
_INSTALLING = re.compile(r"(?i:error).*/uv\W+pip\W+install")


@dataclass(frozen=True)
class Secrets:
    """Values that only the build may know.

    Attributes
    ----------
    settings
        Name and text.
    files
        Names and files of this machine.
    hidden
        Texts to mask in the engine's output.
    """

    settings: tuple[str, str]
    files: Mapping[str, Path]
    hidden: frozenset[str]


@dataclass
class _Made:
    """Images that a build made in an engine's storage, by id, and the bases that it loaded."""

    images: list[str] = field(default_factory=list)
    bases: list[str] = field(default_factory=list)

    def has(self, image: str) -> bool:
        return self.position(image) >= 0

    def position(self, image: str) -> int:
        """The image's position in the order of making; -1: the build did not make it."""
        return max((position for position, prefix in enumerate(self.images) if image.startswith(prefix)), default=-1)


@dataclass(frozen=True)
class Engine:
    """A container engine that answers.

    It does not inherit the store's lock, since an engine may start daemons that never end.

    Attributes
    ----------
    on_line
        Called with each line of its output.
    """

    name: str
    on_line: Callable[[str], None]

    def build(
        self, context: Path, store: Path, base: Base, secrets: Secrets, *, name: str, into: Path, kept: bool = True
    ) -> None:
        """Build the context's Containerfile into a new layout with one image, whose layers are not compressed.

        Parameters
        ----------
        store
            An OCI layout that holds the base.
        name
            The image's name in the engine's storage, which keeps it for the next build. Docker's storage keeps the
            base, too.
        kept
            Whether the engine's storage keeps the image and the layers of its stages.

        Raises
        ------
        ToolMissing
            skopeo.
        ImageNotBuilt
            The build failed; the error has the engine's last lines.
        """
        loaded = base_name(base)
        if self.name == "docker":
            self._copy(f"oci:{store}:{ref_name(base.held)}", f"docker-daemon:{loaded}")
            self._run([*_dockers(context, base, name), *_secrets(secrets), str(context)], secrets)
            self._copy(f"docker-daemon:{name}:latest", f"oci:{into}:image")
            if not kept:
                self._query(["image", "rm", name])
            return
        with self._cleaned_up(base) as made:
            if not self._has(loaded):
                made.bases.append(loaded)
                self._copy(f"oci:{store}:{ref_name(base.held)}", f"containers-storage:{loaded}")
            command = _buildahs(context, loaded, name, layers=kept)
            output = self._run([*command, *_secrets(secrets), str(context)], secrets, made)
            self._copy(f"containers-storage:@{output}", f"oci:{into}:image")
            for image in () if kept else (name, *made.bases):
                self._query(["rmi", image])

    def _run(self, arguments: Sequence[str], secrets: Secrets, made: _Made | None = None) -> str:
        """Run the engine; returns the image's id, the last line of buildah and podman."""
        tail: list[str] = []
        variables = {**for_builders(), _SETTINGS: secrets.settings[1]}
        with stream(self.name, arguments, variables) as process:
            for raw in process.stdout or ():
                line = raw.decode(errors="replace").rstrip()
                tail = [*tail, line][-_TAIL:]
                match = _MADE.fullmatch(line)
                if match and made:
                    made.images.append(match[1])
                self.on_line(line)
        if process.returncode:
            installing = any(_INSTALLING.search(line) for line in tail)
            lines = masked("\n".join(filter(None, tail)), secrets.hidden).splitlines()
            shown = "\n".join(line[:_LONGEST_LINE] for line in lines)
            message = NOT_INSTALLED if installing else f"{self.name} could not build the image"
            raise ImageNotBuilt(message, REMEDY if installing else _WITHOUT, shown)
        return next((line for line in reversed(tail) if _ID.fullmatch(line)), "")

    def _copy(self, source: str, target: str) -> None:
        """Copy by skopeo without compression: the store compresses the same way on every machine."""
        arguments = ["copy", "--quiet", "--dest-oci-accept-uncompressed-layers", source, target]
        with stream("skopeo", arguments, for_builders()) as process:
            output = process.stdout.read().decode(errors="replace") if process.stdout else ""
        if process.returncode:
            raise ImageNotBuilt(f"skopeo could not copy {source} to {target}", _WITHOUT, masked(output.strip()))

    def _has(self, image: str) -> bool:
        return self._query(["inspect", "--type", "image", image]).code == 0

    @property
    def fixes_times(self) -> bool:
        """Whether all its files date from the beginning of 1970; docker's parent folders do not."""
        return self.name != "docker"

    @contextlib.contextmanager
    def _cleaned_up(self, base: Base) -> Iterator[_Made]:
        """Remove what an interrupted build made from the engine's storage.

        A failed build's layers stay, so that the next try continues there.
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
        """Remove the build's containers and images; others belong to another image or were there before."""
        force = ["--force"] if self.name == "podman" else []
        for container, image in self._containers().items():
            if container not in before and (image == base or made.has(image)):
                self._query(["rm", *force, container])
        new = [image for image in self._images() - before if made.has(image)]
        for image in [*sorted(new, key=made.position, reverse=True), *made.bases]:
            self._query(["rmi", "--force", image])

    def _containers(self) -> dict[str, str]:
        """Ids of the containers of running builds, with the ids of their images."""
        if self.name == "podman":
            arguments = ["ps", "--all", "--external", "--no-trunc", "--format", "{{.ID}} {{.ImageID}}"]
        else:
            arguments = ["containers", "--notruncate", "--format", "{{.ContainerID}} {{.ImageID}}"]
        words = [line.split() for line in self._query(arguments).output.decode().splitlines()]
        return {word[0]: word[-1].removeprefix("sha256:") for word in words if word}

    def _images(self) -> set[str]:
        """The ids of all images."""
        ids = self._query(["images", "--all", "--quiet", "--no-trunc"]).output.decode().split()
        return {image_id.removeprefix("sha256:") for image_id in ids}

    def _query(self, arguments: Sequence[str]) -> Completed:
        try:
            return run(self.name, arguments, for_builders(), patience=_PATIENCE)
        except TimeoutError as error:
            raise ToolMissing(f"{self.name} does not answer", _WITHOUT, str(error)) from error


def find() -> str:
    """The name of the first installed engine that answers.

    Raises
    ------
    ToolMissing
        No engine answers.
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
    """A base's name in an engine's storage, independent of its source."""
    return f"localhost/nbdeploy/base:{base.held.removeprefix('sha256:')[:12]}"


def base_reference(base: Base) -> str:
    """A base in a Containerfile's ``FROM``: its name with its digest, or that in the engine's storage."""
    return f"{base.name}@{base.digest}" if base.pinned else base_name(base)


def in_words(line: str) -> str | None:
    """The progress in a line of an engine's output; None: there is none."""
    match = _STEP.fullmatch(line)
    if match:
        stage = f"stage {match[1].replace('/', ' of ')}, " if match[1] else ""
        return f"{stage}step {match[2].replace('/', ' of ')}: {_short(match[3])}"
    stage_of_docker = _STAGE.fullmatch(line)
    return _short(stage_of_docker[1]) if stage_of_docker else None


def _short(instruction: str) -> str:
    plain = re.sub(r"--mount=\S+\s+", "", instruction)
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 1]}…"


def _buildahs(context: Path, base: str, name: str, *, layers: bool) -> list[str]:
    """The arguments of buildah, which are podman's too.

    All times are the beginning of 1970. The identity label differs between versions of the engine. With a file for the
    id, the engine does not print the ids of intermediate images.
    """
    return [
        "build", "--file", str(context / "Containerfile"), "--from", base, "--pull=never",
        f"--layers={str(layers).lower()}", "--force-rm", "--timestamp", "0", "--identity-label=false",
        "--format", "oci", "--network", "host",
        "--security-opt", "label=disable", "--tag", name,
    ]  # fmt: skip


def _dockers(context: Path, base: Base, name: str) -> list[str]:
    """The arguments of docker, whose storage holds the base.

    The image goes through the daemon's storage: not every daemon writes OCI's format, and its option for fixed times
    also changes the base's layers.
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
    return [word for option in options for word in ("--secret", option)]
