"""A captured model: verified, unpickled once and called."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import inspect
import json
import os
import pickle
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Any

from . import project_code
from .dispatch.deferred_answers import as_stream, resolve
from .environment import EnvironmentChanged, another_python, changes
from .natives import callable_of, restore
from .role import install_stub
from .values.codec import Codec
from .values.decoding import Decoder
from .workplace import enter

__all__ = ["EnvironmentChanged", "Model", "SnapshotChanged", "current", "load"]

FORMAT = 1
MANIFEST, MODEL, EXAMPLE = "snapshot.json", "model.pkl", "example.pkl"


class SnapshotChanged(RuntimeError):
    """The files are not those that were captured."""


class Model:
    """What answers requests.

    Attributes
    ----------
    tag
        ``name:version``, from the folder's place in BentoML's model store.
    digest
        ``sha256:…`` of ``snapshot.json``, which names the other files by their hashes.
    manifest
        The content of ``snapshot.json``.
    codec, decoder
        How instances become arguments and answers become predictions.
    native
        The unpickled object itself.
    """

    def __init__(
        self, native: Any, manifest: dict[str, Any], example: Mapping[str, Any], tag: str, digest: str
    ) -> None:
        self.native = native
        self.manifest = manifest
        self.tag = tag
        self.digest = digest
        self.codec = Codec(manifest["signature"], example["prototype"])
        self.decoder = Decoder(self.codec)
        self._example = example.get("example")
        self._torch = manifest["framework"] == "torch"
        if self._torch and hasattr(native, "eval"):
            native.eval()  # as for the notebook's own answers: no dropout, no running statistics
        self._call = callable_of(native, manifest["method"])
        self._positional = _positional_only(self._call) if self.codec.container == "call" else ()

    def answer(self, instances: Sequence[Any]) -> list[Any]:
        """One prediction for each of ``instances``, in their order.

        Raises
        ------
        InvalidInstances
            They do not fit the signature.
        BadAnswer
            The model did not answer one value for each row.
        """
        if not instances:
            return []
        parsed = self.decoder.instances(list(instances))
        return self.codec.encode(self.call_native(self.decoder.batch([parsed])), parsed.rows)

    def call_native(self, example: Any) -> Any:
        """The model's own answer on what it takes.

        For batches that is the batch. For calls it is one call's keyword arguments, or a list of such dicts; the
        answer is a list with one value for each call.
        """
        with self._without_gradients():
            if self.codec.container != "call":
                return resolve(self._call(example))
            calls = [example] if isinstance(example, Mapping) else example
            return [self._resolved_call(dict(call)) for call in calls]

    @contextlib.contextmanager
    def yielding(self, arguments: Mapping[str, Any]) -> Iterator[tuple[bool, Any]]:
        """One call whose answer may come item by item: whether it does, and the iterator, or the answer itself."""
        with self._without_gradients(), as_stream(self._call_once(dict(arguments))) as result:
            yield result

    def replay_example(self) -> list[Any]:
        """The predictions for the notebook's own example, asked as the notebook did: not by way of JSON."""
        # A copy, since a model may change what it is given.
        answer = self.call_native(copy.deepcopy(self._example))
        return self.codec.encode(answer, len(self.manifest["instances"]))

    def _resolved_call(self, arguments: dict[str, Any]) -> Any:
        return resolve(self._call_once(arguments))

    def _call_once(self, arguments: dict[str, Any]) -> Any:
        positional = [arguments.pop(name) for name in self._positional if name in arguments]
        return self._call(*positional, **arguments)

    def _without_gradients(self) -> contextlib.AbstractContextManager[Any]:
        if not self._torch:
            return contextlib.nullcontext()
        context: contextlib.AbstractContextManager[Any] = sys.modules["torch"].no_grad()
        return context


def _positional_only(function: Any) -> tuple[str, ...]:
    # Builtins such as math.sqrt cannot be called by name.
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return ()
    return tuple(parameter.name for parameter in parameters if parameter.kind is parameter.POSITIONAL_ONLY)


_lock = threading.Lock()
_loaded: dict[tuple[str, str | None], Model] = {}
_current: Model | None = None


def current() -> Model | None:
    """The model that this process loaded last; None before."""
    return _current


def load(path: str | os.PathLike[str], digest: str | None = None) -> Model:
    """The model in a snapshot's folder; a second call with the same arguments gives the same object.

    If it has packed files, the process's working directory becomes the place where they lie (``workplace``).

    With ``NBDEPLOY_CHECK_ENVIRONMENT=1`` the installed versions must be those of the capture.

    Parameters
    ----------
    path
        ``…/<name>/<version>`` in BentoML's model store.
    digest
        ``sha256:…`` of its ``snapshot.json``. Nothing is unpickled before all hashes were found right.

    Raises
    ------
    SnapshotChanged
        A file is not the one that was captured, or a newer nbdeploy wrote it.
    EnvironmentChanged
        This is another minor version of Python, or another version of a distribution is installed.
    """
    global _current  # noqa: PLW0603  one process serves one model; Front has to find it
    folder = Path(path).absolute()
    with _lock:
        known = (str(folder), digest)
        if known not in _loaded:
            _loaded[known] = _read(folder, digest)
        _current = _loaded[known]
        return _current


def model_of(native: Any, path: str | os.PathLike[str], digest: str) -> Model:
    """An object of this process, to be asked what the snapshot in a folder was asked: no more than its example is read.

    Modules, classes and files of the project are this process's own; the snapshot's do not take their places.

    Raises
    ------
    SnapshotChanged, EnvironmentChanged
        As ``load``.
    """
    manifest, example, actual = _example(Path(path).absolute(), digest)
    return Model(native, manifest, example, _tag(Path(path).absolute()), actual)


def codec(path: str | os.PathLike[str], digest: str) -> Codec:
    """How the model of the snapshot in a folder takes instances; no more than its example is read, as above.

    Raises
    ------
    SnapshotChanged, EnvironmentChanged
        As ``load``.
    """
    manifest, example, _ = _example(Path(path).absolute(), digest)
    return Codec(manifest["signature"], example["prototype"])


def _example(folder: Path, digest: str) -> tuple[dict[str, Any], Mapping[str, Any], str]:
    with _verified(folder, digest) as (manifest, files, actual):
        return manifest, _Unpickler(files[EXAMPLE], folder).load(), actual


def _read(folder: Path, digest: str | None) -> Model:
    with _verified(folder, digest) as (manifest, files, actual):
        install_stub()
        project_code.install(folder, manifest["files"])
        if manifest.get("packed"):
            enter(manifest["packed"], {name: (file, manifest["files"][name]) for name, file in files.items()})
        native = _Unpickler(files[MODEL], folder).load()
        example = _Unpickler(files[EXAMPLE], folder).load()
    return Model(native, manifest, example, _tag(folder), actual)


def _tag(folder: Path) -> str:
    return f"{folder.parent.name}:{folder.name}"


@contextlib.contextmanager
def _verified(folder: Path, digest: str | None) -> Iterator[tuple[dict[str, Any], dict[str, BufferedReader], str]]:
    """The manifest, the snapshot's open files and its digest, all hashes having been found right."""
    content = _content(folder / MANIFEST)
    actual = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if digest is not None and actual != digest:
        raise SnapshotChanged(f"{folder / MANIFEST} changed after it was captured: expected {digest}, found {actual}")
    manifest: dict[str, Any] = json.loads(content)
    if manifest.get("format", FORMAT) != FORMAT:
        raise SnapshotChanged(f"{folder / MANIFEST} was written by a newer nbdeploy: serve it with that one")
    if line := another_python(manifest):
        raise EnvironmentChanged([line])
    with contextlib.ExitStack() as opened:
        # The bytes that are hashed must be the bytes that are unpickled: each file is opened once.
        files = {}
        for name in sorted({MODEL, EXAMPLE, *manifest["files"]}):
            file = files[name] = opened.enter_context(_open(folder / name))
            result, expected = hashlib.file_digest(file, "sha256").hexdigest(), manifest["files"].get(name)
            if result != expected:
                raise SnapshotChanged(
                    f"{folder / name} changed after it was captured: expected sha256 {expected}, found {result}"
                )
            file.seek(0)
        if os.environ.get("NBDEPLOY_CHECK_ENVIRONMENT") == "1" and (lines := changes(manifest)):
            raise EnvironmentChanged(lines)
        if unknown := project_code.unlisted_files(folder, files):
            raise SnapshotChanged(f"{folder / unknown[0]} is not among what was captured")
        yield manifest, files, actual


class _Unpickler(pickle.Unpickler):
    """Finds the parts that are stored beside the pickle."""

    def __init__(self, file: BufferedReader, folder: Path) -> None:
        super().__init__(file)
        self._folder = folder
        self._restored: dict[str, Any] = {}

    def persistent_load(self, reference: tuple[Any, ...]) -> Any:
        key = repr(reference)  # some hold dicts
        if key not in self._restored:
            self._restored[key] = restore(self._folder, reference)
        return self._restored[key]


def _content(path: Path) -> bytes:
    with _open(path) as file:
        return file.read()


def _open(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise SnapshotChanged(f"{path} is missing: this is not a complete snapshot") from error
