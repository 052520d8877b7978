"""ONNX: a session, a model in memory or a file is captured as the ONNX file that it came from."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_deploy.domain.errors import NotCapturable, UnknownSource
from jupyter_deploy.serving.natives.onnx import OnnxModel, session_of, settings_of
from jupyter_deploy.serving.natives.translated import TranslatedModel
from jupyter_deploy.system.digests import HashingFile

from .base import Framework, NativeWriter, loaded

if TYPE_CHECKING:
    from jupyter_deploy.capture.candidates.tables import TableVariable

_TAKEN = {"model.pkl", "example.pkl", "snapshot.json", "capture.json", "model.yaml"}


class Onnx(Framework):
    """``onnxruntime.InferenceSession``, ``onnx.ModelProto``, and the path of a ``.onnx`` file."""

    name = "onnx"
    called = True
    exports = True

    def base_of(self, model: Any) -> type | None:
        if isinstance(model, Path) and model.suffix == ".onnx":
            return type(model)
        kinds = (loaded("onnxruntime", "InferenceSession"), loaded("onnx", "ModelProto"), OnnxModel)
        return next((kind for kind in kinds if kind is not None and isinstance(model, kind)), None)

    def deployed(self, model: Any) -> Any:
        """With a call of its own, whatever it is: a session has none.

        Raises
        ------
        UnknownSource
            There is no such file, onnxruntime cannot read it, or is not installed.
        """
        if isinstance(model, OnnxModel):
            return model
        if hasattr(model, "get_session_options"):
            return OnnxModel(model)
        if isinstance(model, Path) and not model.is_file():
            raise UnknownSource(f"there is no file {model}", "name an ONNX file that exists")
        try:
            return OnnxModel(session_of(str(model) if isinstance(model, Path) else model.SerializeToString()))
        except ImportError as error:
            raise UnknownSource("an ONNX model needs onnxruntime", "install it: pip install onnxruntime") from error
        except Exception as error:
            raise UnknownSource(
                f"onnxruntime cannot read this model: {error}", "does 'onnxruntime.InferenceSession(…)' take it?"
            ) from error

    def guess(self, model: Any, table: TableVariable, namespace: Mapping[str, Any]) -> tuple[str | None, float] | None:
        """An array."""
        del model, namespace
        return (table.sliced if table.form == "array" else None), 0.0

    def method(self, model: Any) -> str | None:
        del model
        return None

    def takes_lists(self, model: Any) -> bool:
        del model
        return True

    def signature_of(self, model: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        del call

        def asked(**inputs: Any) -> Any:
            return model(**inputs)

        vars(asked)["__signature__"] = model.parameters
        return asked

    def hint(self, error: Exception, container: str) -> str | None:
        if container == "call":
            return "give a batch of rows, such as X_test[:5], or a dict of arrays by input name"
        return "give numbers of the input's type and shape" if "nvalid" in str(error) else None

    def features(self, model: Any) -> tuple[str, ...] | None:
        """The names of its inputs, where each is a column."""
        inputs = model.session.get_inputs()
        return tuple(node.name for node in inputs) if len(inputs) > 1 else None

    def hyperparameters(self, model: Any) -> dict[str, Any]:
        about = model.session.get_modelmeta()
        told = {"producer": about.producer_name, "graph": about.graph_name, "domain": about.domain}
        ends = {"inputs": model.session.get_inputs(), "outputs": model.session.get_outputs()}
        shapes = {side: {end.name: f"{end.type} {end.shape}" for end in found} for side, found in ends.items()}
        return {name: value for name, value in told.items() if value} | dict(about.custom_metadata_map) | shapes

    def native_writer(self, folder: Path) -> NativeWriter | None:
        kind = loaded("onnxruntime", "InferenceSession")
        return None if kind is None else OnnxWriter(folder, kind)


class OnnxWriter:
    """Sessions wherever they are, as ``model.onnx``; a second one as ``model-2.onnx``."""

    format = "onnx"

    def __init__(self, folder: Path, session: type) -> None:
        self._folder = folder
        self._session = session
        self._files: dict[str, str] = {}
        self._written: dict[int, tuple[Any, str]] = {}

    def takes(self, kind: type) -> bool:
        return kind in (OnnxModel, TranslatedModel) or issubclass(kind, self._session)

    def take(self, part: Any) -> tuple[Any, ...] | None:
        wrapped = part.form if isinstance(part, TranslatedModel) else isinstance(part, OnnxModel)
        session = part.session if wrapped else part
        if id(session) not in self._written:
            number = len(self._written) + 1
            name = "model.onnx" if number == 1 else f"model-{number}.onnx"
            self._write(session, name)
            self._written[id(session)] = (session, name)
        return self._written[id(session)][1], settings_of(session), wrapped

    def finish(self) -> dict[str, str]:
        return self._files

    def _write(self, session: Any, name: str) -> None:
        content = session._model_bytes  # noqa: SLF001 - a session tells its source nowhere else
        if content is not None:
            with HashingFile(self._folder / name) as file:
                file.write(content)
            self._files[name] = file.sha256
            return
        path = Path(session._model_path)  # noqa: SLF001
        if not path.is_file():
            raise NotCapturable(
                f"{path}, of which the session was made, is no longer there",
                "put it back, or make the session of a file that stays",
            )
        self._copy(path, name)
        for location in _beside(path):
            if location in _TAKEN or location in self._files:
                raise NotCapturable(
                    f"{path} keeps weights in a file '{location}', and a snapshot has one of that name already",
                    "save the model with another name for its external data",
                )
            self._copy(path.parent / location, location)

    def _copy(self, source: Path, name: str) -> None:
        target = self._folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with source.open("rb") as read, HashingFile(target) as file:
            shutil.copyfileobj(read, file, 1 << 24)
        self._files[name] = file.sha256


def _beside(path: Path) -> list[str]:
    """Files next to it with its large weights. Without the library onnx they are unknown; the replay tests them."""
    try:
        import onnx  # only these models need it
        from onnx.external_data_helper import ExternalDataInfo, uses_external_data
    except ImportError:
        return []
    model = onnx.load(str(path), load_external_data=False)
    tensors = [tensor for tensor in model.graph.initializer if uses_external_data(tensor)]
    return sorted({str(ExternalDataInfo(tensor).location) for tensor in tensors})
