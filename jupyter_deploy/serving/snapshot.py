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
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any

from . import project_code
from .dispatch.deferred_answers import as_stream, resolve
from .environment import EnvironmentChanged, another_python, changes
from .natives import callable_of, restore
from .stand_in import install_stub
from .values.codec import Codec
from .values.decoding import Decoder
from .values.plain_table_types import TableTypes
from .workplace import enter

__all__ = ["EnvironmentChanged", "Model", "SnapshotChanged", "current", "load"]

FORMAT = 1
MANIFEST, MODEL, EXAMPLE = "snapshot.json", "model.pkl", "example.pkl"
LOOKUPS = "lookups.pkl"
CAPTURE = "capture.json"


class SnapshotChanged(RuntimeError):
    """A file of the snapshot differs from the captured one."""


class Model:
    """A loaded snapshot that answers instances.

    Attributes
    ----------
    tag
        ``name:version``, from the folder's path in BentoML's model store.
    digest
        ``sha256:…`` of ``snapshot.json``, which holds the hashes of the other files.
    manifest
        The content of ``snapshot.json``.
    codec, decoder
        Conversion of instances to arguments and of answers to predictions. A decoder of a model with lookups takes
        instances with keys in place of features, too.
    native
        The unpickled object.
    captured
        The provenance in ``capture.json``: who captured it and when, in no digest; empty in an image.
    """

    def __init__(
        self,
        native: Any,
        manifest: dict[str, Any],
        example: Mapping[str, Any],
        tag: str,
        digest: str,
        *,
        lookups: Sequence[Any] = (),
    ) -> None:
        self.native = native
        self.captured: Mapping[str, Any] = {}
        self.manifest = manifest
        self.tag = tag
        self.digest = digest
        self.codec = Codec(manifest["signature"], example["prototype"])
        self.decoder = _decoder(self.codec, lookups, manifest)
        self._example = example
        self._torch = manifest["framework"] == "torch"
        if self._torch and hasattr(native, "eval"):
            native.eval()  # as in the capture: no dropout, no running statistics
        self._call = callable_of(native, manifest["method"])
        self._positional = _positional_only(self._call) if self.codec.container == "call" else ()

    def answer(self, instances: Sequence[Any]) -> list[Any]:
        """Return one prediction for each of ``instances``, in their order.

        Raises
        ------
        InvalidInstances
            The instances do not fit the signature.
        BadAnswer
            The model did not return one value for each row.
        """
        if not instances:
            return []
        parsed = self.decoder.instances(list(instances))
        return self.codec.encode(self.call_native(self.decoder.batch([parsed])), parsed.rows)

    def call_native(self, example: Any) -> Any:
        """Call the model with native arguments.

        For batches ``example`` is the batch. For calls it is the keyword arguments of one call, or a list of such
        dicts; the result is a list with one value for each call.
        """
        with self._without_gradients():
            if self.codec.container != "call":
                return resolve(self._call(example))
            calls = [example] if isinstance(example, Mapping) else example
            return [self._resolved_call(dict(call)) for call in calls]

    @contextlib.contextmanager
    def yielding(self, arguments: Mapping[str, Any]) -> Iterator[tuple[bool, Any]]:
        """Make one call; yield whether its answer is an iterator, and the iterator or the answer."""
        with self._without_gradients(), as_stream(self._call_once(dict(arguments))) as result:
            yield result

    def replay_example(self) -> list[Any]:
        """Return the predictions for the notebook's own example, called natively and not over JSON."""
        # A copy, since a model may change its arguments.
        answer = self.call_native(copy.deepcopy(self._example["example"]))
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


def _decoder(codec: Codec, lookups: Sequence[Any], manifest: Mapping[str, Any]) -> Decoder:
    if not lookups:
        return Decoder(codec)
    from .features.decoder import LookupDecoder  # only for a model with lookups

    return LookupDecoder(codec, lookups, manifest["lookups"])


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
    """Return the model that this process loaded last; None before the first."""
    return _current


def load(path: str | os.PathLike[str], digest: str | None = None) -> Model:
    """Load the model of a snapshot's folder; a second call with the same arguments returns the same object.

    If the snapshot has packed files, their folder becomes the working directory of the process (``workplace``).

    If ``NBDEPLOY_CHECK_ENVIRONMENT=1``, the installed versions must be those of the capture.

    Parameters
    ----------
    path
        ``…/<name>/<version>`` in BentoML's model store.
    digest
        ``sha256:…`` of its ``snapshot.json``. Nothing is unpickled before all hashes are verified.

    Raises
    ------
    SnapshotChanged
        A file differs from the captured one, or a newer nbdeploy wrote the snapshot.
    EnvironmentChanged
        The minor version of Python differs, or the version of a distribution.
    """
    global _current  # noqa: PLW0603 - one process serves one model, and Front finds it here
    folder = Path(path).absolute()
    with _lock:
        known = (str(folder), digest)
        if known not in _loaded:
            _loaded[known] = _read(folder, digest)
        _current = _loaded[known]
        return _current


def model_of(native: Any, path: str | os.PathLike[str], digest: str) -> Model:
    """Wrap an object of this process as the model of a snapshot, of which only the example is read.

    Modules, classes and files of the project stay those of this process.

    Raises
    ------
    SnapshotChanged, EnvironmentChanged
        As ``load``.
    """
    manifest, example, actual = _example(Path(path).absolute(), digest)
    return Model(native, manifest, example, _tag(Path(path).absolute()), actual)


def codec(path: str | os.PathLike[str], digest: str) -> Codec:
    """Return the codec of a snapshot, of which only the example is read.

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
        types = _table_types(native)
        if types is None:
            example: Mapping[str, Any] = _Unpickler(files[EXAMPLE], folder).load()
        else:
            example = _LazyExample(types, files[EXAMPLE].read(), folder)
        lookups = _Unpickler(files[LOOKUPS], folder).load() if manifest.get("lookups") else ()
    model = Model(native, manifest, example, _tag(folder), actual, lookups=lookups)
    model.captured = _captured(folder)
    return model


def _table_types(native: Any) -> TableTypes | None:
    """Return the columns of a translated model that takes a table; None: another model, or another example."""
    form = getattr(native, "form", None) if type(native).__name__ == "TranslatedModel" else None
    types = form.get("table") if form else None
    return TableTypes(types, matrix=form["kinds"] is None) if form and types else None


class _LazyExample(Mapping[str, Any]):
    """The example of a translated model, whose data frame is unpickled if someone asks for it: that imports pandas."""

    def __init__(self, types: TableTypes, content: bytes, folder: Path) -> None:
        self._types, self._content, self._folder = types, content, folder

    def __getitem__(self, name: str) -> Any:
        if name == "prototype":
            return self._types
        return _Unpickler(BytesIO(self._content), self._folder).load()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(("prototype", "example"))

    def __len__(self) -> int:
        return 2


def _captured(folder: Path) -> dict[str, Any]:
    try:
        captured: dict[str, Any] = json.loads((folder / CAPTURE).read_bytes())["provenance"]
    except (OSError, ValueError, LookupError, TypeError):
        return {}
    return captured


def _tag(folder: Path) -> str:
    return f"{folder.parent.name}:{folder.name}"


@contextlib.contextmanager
def _verified(folder: Path, digest: str | None) -> Iterator[tuple[dict[str, Any], dict[str, BufferedReader], str]]:
    """Yield the manifest, the open files and the digest of a snapshot after all hashes are verified."""
    content = _content(folder / MANIFEST)
    actual = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if digest is not None and actual != digest:
        raise SnapshotChanged(f"{folder / MANIFEST} changed after it was captured: expected {digest}, found {actual}")
    manifest: dict[str, Any] = json.loads(content)
    if manifest.get("format", FORMAT) != FORMAT:
        raise SnapshotChanged(f"{folder / MANIFEST} was written by a newer nbdeploy; serve it with that version")
    if line := another_python(manifest):
        raise EnvironmentChanged([line])
    with contextlib.ExitStack() as opened:
        # Each file is opened once, so the hashed bytes are the unpickled bytes.
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
            raise SnapshotChanged(f"{folder / unknown[0]} is not listed in the manifest; capture the model again")
        yield manifest, files, actual


class _Unpickler(pickle.Unpickler):
    """Restores the parts that are stored outside the pickle."""

    def __init__(self, file: BufferedReader | BytesIO, folder: Path) -> None:
        super().__init__(file)
        self._folder = folder
        self._restored: dict[str, Any] = {}

    def persistent_load(self, reference: tuple[Any, ...]) -> Any:
        key = repr(reference)  # references may hold dicts, which are not hashable
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
        raise SnapshotChanged(f"{path} is missing: the snapshot is incomplete; capture the model again") from error
