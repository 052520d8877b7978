"""Storages of torch tensors; torch's own unpickling makes views, ties and parameters of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .mapped import buffer


def load(folder: Path, file: str, name: str, dtype: Any, location: str) -> Any:
    """Map the storage from the file, on the device that it was on.

    Parameters
    ----------
    dtype
        The dtype of a typed storage; uint8 for an untyped one, as in torch.load.
    location
        torch's name of the device, such as ``cpu`` or ``cuda:0``.

    Raises
    ------
    RuntimeError
        The device does not exist; the message is torch's.
    """
    import torch  # only models that hold tensors need it

    data, begin, length = buffer(folder / file, name)
    if length:
        storage = torch.frombuffer(data, dtype=torch.uint8, offset=begin, count=length).untyped_storage()
    else:
        storage = torch.UntypedStorage(0)
    storage = torch.serialization.default_restore_location(storage, location)
    return torch.storage.TypedStorage(wrap_storage=storage, dtype=dtype, _internal=True)
