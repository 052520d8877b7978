"""What is known of a library that models are made with. The base knows of none: a plain Python object."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Protocol


class NativeWriter(Protocol):
    """Writes those parts of one snapshot for which a framework has a format of its own.

    While the model is pickled, each object of a type that ``takes`` says yes to is offered to ``take``.
    """

    format: str
    """The format's name; at serving ``serving.natives.<format>.load(folder, *reference)`` gives the part back. A format
    of another distribution is named by its loader, ``package.module:function``."""

    def takes(self, kind: type) -> bool:
        """Whether parts of this type may be written here; asked once a type."""

    def take(self, part: Any) -> tuple[Any, ...] | None:
        """Write it (or note it for ``finish``); what the loader needs to find it, in plain values.

        None: this one is pickled like everything else. What has the same reference is one object when it is loaded.
        """

    def finish(self) -> dict[str, str]:
        """All is pickled: write what is left. File name within the folder -> SHA-256 of its bytes."""


class Framework:
    """A plain Python object, and what a framework is unless it says otherwise.

    A framework is a subclass, named by an entry point in the group ``nbdeploy.frameworks``. Recognising imports
    nothing: what the kernel has not imported cannot be in it.
    """

    name: ClassVar[str] = "python"

    def base_of(self, model: Any) -> type | None:
        """The framework's class that ``model`` is an instance of; of two frameworks the one nearer to it decides."""
        return object if isinstance(model, object) else None

    def deployed(self, model: Any) -> Any:
        """What is captured in its place, where the object itself cannot be asked; else the object."""
        return model

    def method(self, model: Any) -> str | None:
        """The method that answers when none is named; None: the object itself is called."""
        return "predict" if callable(getattr(model, "predict", None)) else None

    def takes_lists(self, model: Any) -> bool:
        """Whether a list is a batch, each item an instance; else it is one call's value."""
        return hasattr(model, "fit")

    def signature_of(self, model: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        """The function whose parameters are those of a call."""
        del model
        return call

    @contextmanager
    def asking(self, model: Any) -> Iterator[tuple[str, ...]]:
        """Within, the model is as it will be served; yields what a reader should know of that."""
        del model
        yield ()

    def hint(self, error: Exception, container: str) -> str | None:
        """What to do when the model raises on an example of this kind; None: nothing that this framework knows of."""
        del error, container
        return None

    def features(self, model: Any) -> tuple[str, ...] | None:
        """Names of the columns that it was fitted on, in their order; None: it does not know them."""
        names = getattr(model, "feature_names_in_", None)
        return None if names is None else tuple(map(str, names))

    def hyperparameters(self, model: Any) -> dict[str, Any]:
        """What it was made with, by name: JSON values, and for anything else its text."""
        del model
        return {}

    def reducer(self, kind: type) -> Callable[[Any], tuple[Any, ...]] | None:
        """How parts of this class are pickled, as by ``__reduce_ex__``; asked once a class. None: as it says itself.

        For what differs each time it is made although nothing changed, such as how long a fit took, and for classes
        that pickle their parts out of sight.
        """
        del kind
        return None

    def native_writer(self, folder: Path) -> NativeWriter | None:
        """A writer of this framework's parts into a snapshot's folder."""
        del folder
        return None


def loaded(module: str, name: str) -> Any:
    """An attribute of a module that this process has imported; None if it has not."""
    return getattr(sys.modules.get(module), name, None)
