"""PyTorch: modules are asked in eval mode and without gradients; weights go into a safetensors file."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_deploy.capture.frameworks.layers import rows_for
from jupyter_deploy.capture.safetensors import BYTES, CODES, Entry, write_safetensors
from jupyter_deploy.capture.static_attributes import bases_of
from jupyter_deploy.domain.errors import NotCapturable

from .base import Framework, NativeWriter, loaded

if TYPE_CHECKING:
    from jupyter_deploy.capture.candidates.tables import TableVariable

FILE = "model.safetensors"

_LAYERS_TOLD = 100


class Torch(Framework):
    """``torch.nn.Module``."""

    name = "torch"
    called = True
    train_fits = False
    wrappers = frozenset({"Dataset", "TensorDataset", "DataLoader"})

    def base_of(self, model: Any) -> type | None:
        base: type | None = loaded("torch.nn", "Module")
        return base if base is not None and isinstance(model, base) else None

    def is_model(self, value: Any) -> bool:
        """A loss is a module too."""
        return loaded("torch.nn.modules.loss", "_Loss") not in bases_of(type(value))

    def may_be_trained(self, model: Any) -> bool:
        """By a loop."""
        del model
        return True

    def guess(self, model: Any, table: TableVariable, namespace: Mapping[str, Any]) -> tuple[str | None, float] | None:
        """Rows that the first layer takes, as a tensor."""
        return rows_for(model, table, namespace)

    def signature_of(self, model: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        # A module is called through torch's own __call__(*args); what it takes is what forward takes.
        forward: Callable[..., Any] = model.forward
        return forward if call is model else call

    @contextmanager
    def asking(self, model: Any) -> Iterator[tuple[str, ...]]:
        """In eval mode; each part gets its own mode back afterwards: a frozen layer stays frozen.

        Raises
        ------
        NotCapturable
            There are weights without values, or parts that torch does not pickle.
        """
        with asked_for_answers(model) as notes:
            yield notes

    def hint(self, error: Exception, container: str) -> str | None:
        if container == "array":
            return "the module was given a numpy array; give it a tensor, such as torch.as_tensor(X[:5])"
        if "same device" in str(error) or "different from other tensors" in str(error):
            return "bring the module and the example to one device: model.to('cpu'), and the example too"
        return None

    def hyperparameters(self, model: Any) -> dict[str, Any]:
        return described(model)

    def native_writer(self, folder: Path) -> NativeWriter | None:
        return StorageWriter(folder) if "torch" in sys.modules else None


@contextmanager
def asked_for_answers(module: Any) -> Iterator[tuple[str, ...]]:
    """Within, the module answers as it will be served; yields what a reader should know of that."""
    _require_capturable(module)
    torch = sys.modules["torch"]
    modes = {part: part.training for part in module.modules()}
    notes = []
    if any(modes.values()):
        notes.append("the module was in train mode; it was asked, and is served, in eval mode")
    devices = sorted({str(tensor.device) for tensor in _tensors(module)} - {"cpu"})
    if devices:
        notes.append(
            f"weights are on {' and '.join(devices)} and are served from there, where each worker has a copy of its "
            "own; to serve from the CPU, bring module and example there: model.cpu()"
        )
    module.eval()
    try:
        with torch.no_grad():
            yield tuple(notes)
    finally:
        for part, training in modes.items():
            part.training = training


def described(module: Any) -> dict[str, Any]:
    """Sizes and layers; a layer by its own ``repr``."""
    parameters = list(module.parameters())
    leaves = {name: repr(part) for name, part in module.named_modules() if name and not any(part.children())}
    told = dict(list(leaves.items())[:_LAYERS_TOLD])
    if len(leaves) > len(told):
        told["…"] = f"{len(leaves) - len(told)} more"
    return {
        "parameters": sum(tensor.numel() for tensor in parameters),
        "trainable": sum(tensor.numel() for tensor in parameters if tensor.requires_grad),
        "dtypes": dict(Counter(str(tensor.dtype).removeprefix("torch.") for tensor in parameters)),
        "layers": told,
    }


class StorageWriter:
    """Writes each storage once, by the name in ``state_dict`` of a tensor that is all of it.

    torch pickles a tensor as its storage and how it looks at it, and a storage by a copy of it in memory. Only storages
    are taken here: what tensors are tied, views, transposed, sparse, quantised, parameters or frozen stays torch's own
    business. A storage that no tensor covers in one piece, or whose type the format does not know, is there as bytes.
    """

    format = "safetensors"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._torch = sys.modules["torch"]
        self._modules: set[int] = set()
        self._named: dict[int, tuple[str, Any]] = {}
        self._entries: dict[int, Entry] = {}
        self._names: set[str] = set()
        self._kept: list[Any] = []  # what addresses are kept of must not go
        self.in_training: dict[str, None] = {}
        """Classes of modules that were met in train mode and answer otherwise in it."""

    def takes(self, kind: type) -> bool:
        """Modules too: only they know the names."""
        torch = self._torch
        return issubclass(kind, torch.storage.TypedStorage | torch.UntypedStorage | torch.nn.Module)

    def take(self, part: Any) -> tuple[Any, ...] | None:
        torch = self._torch
        if isinstance(part, torch.nn.Module):
            self._learn(part)
            if part.training and _minds(part, torch):
                self.in_training[type(part).__name__] = None
            return None
        typed = isinstance(part, torch.storage.TypedStorage)
        storage = part._untyped_storage if typed else part
        if storage._cdata not in self._entries:
            self._entries[storage._cdata] = self._entry(storage)
            self._kept.append(storage)
        name = self._entries[storage._cdata].name
        return FILE, name, part.dtype if typed else torch.uint8, torch.serialization.location_tag(storage)

    def finish(self) -> dict[str, str]:
        if not self._entries:
            return {}
        return {FILE: write_safetensors(self._folder / FILE, self._entries.values())}

    def _learn(self, module: Any) -> None:
        """The names of all tensors in it; not of one that is part of a module known already."""
        if id(module) in self._modules:
            return
        self._modules.update(map(id, module.modules()))
        self._kept.append(module)
        for name, tensor in _named_tensors(module):
            address = _address(tensor)
            if address is not None:
                self._named.setdefault(address, (name, tensor))

    def _entry(self, storage: Any) -> Entry:
        name, tensor = self._named.get(storage._cdata, ("tensor", None))
        code, shape = BYTES, (storage.nbytes(),)
        if tensor is not None and tensor.is_contiguous() and tensor.nbytes == storage.nbytes():
            known = CODES.get(str(tensor.dtype).removeprefix("torch."))
            if known is not None:
                code, shape = known, tuple(tensor.shape)
        unique, number = name, 2
        while unique in self._names:
            unique, number = f"{name}.{number}", number + 1
        self._names.add(unique)
        return Entry(unique, code, shape, storage.nbytes(), lambda: _content(storage))


def _content(storage: Any) -> memoryview:
    """A storage's bytes; of one on another device a copy, which is gone when it is written."""
    torch = sys.modules["torch"]
    on_cpu = storage if storage.device.type == "cpu" else storage.cpu()
    content: memoryview = torch.empty(0, dtype=torch.uint8).set_(on_cpu).numpy().data
    return content


def _minds(module: Any, torch: Any) -> bool:
    """Whether it is of those that answer otherwise in train mode."""
    layers = torch.nn.modules
    if isinstance(module, layers.dropout._DropoutNd):
        return bool(module.p)
    return isinstance(module, layers.batchnorm._BatchNorm) or bool(
        isinstance(module, layers.rnn.RNNBase | layers.activation.MultiheadAttention) and module.dropout
    )


def _require_capturable(module: Any) -> None:
    lazy, scripted = loaded("torch.nn.parameter", "is_lazy"), loaded("torch.jit", "ScriptModule")
    for name, part in module.named_modules():
        if isinstance(part, scripted):
            raise NotCapturable(
                f"{_called(module, name)} is a TorchScript module, which cannot be pickled",
                "deploy the module that it was made of, or export it to ONNX and deploy that file",
            )
        if hasattr(part, "parametrizations"):
            weight = next(iter(part.parametrizations))
            raise NotCapturable(
                f"{_called(module, name)}.{weight} is parametrised, and torch pickles no such module",
                f"fix the weight as it is now: torch.nn.utils.parametrize.remove_parametrizations(layer, '{weight}')",
            )
    for name, tensor in _named_tensors(module):
        if lazy(tensor):
            raise NotCapturable(
                f"{_called(module, name)} is not initialised: the module was never called, so never trained",
                "train it, or call it once on data, before you deploy it",
            )
        if tensor.device.type == "meta":
            raise NotCapturable(
                f"{_called(module, name)} has a shape but no values (it is on torch's device 'meta')",
                "load its weights first: model.to_empty(device='cpu'), then model.load_state_dict(…)",
            )


def _called(module: Any, name: str) -> str:
    return f"{type(module).__name__}.{name}" if name else type(module).__name__


def _named_tensors(module: Any) -> Iterator[tuple[str, Any]]:
    yield from module.named_parameters(remove_duplicate=False)
    yield from module.named_buffers(remove_duplicate=False)


def _tensors(module: Any) -> Iterator[Any]:
    return (tensor for _, tensor in _named_tensors(module))


def _address(tensor: Any) -> int | None:
    """That of its storage; None for one that has none of its own, such as a sparse one."""
    try:
        address: int = tensor.untyped_storage()._cdata
    except (NotImplementedError, RuntimeError):
        return None
    return address
