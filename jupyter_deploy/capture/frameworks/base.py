"""What is known of a library that models are made with. The base knows of none: a plain Python object."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from jupyter_deploy.capture.candidates.tables import TableVariable


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

    called: ClassVar[bool] = False
    """Its models are called themselves, and have no method that answers."""

    trained: ClassVar[bool] = False
    """Its models are what a fit made."""

    exports: ClassVar[bool] = False
    """Its models are in a neutral format, which a notebook makes of a trained model."""

    train_fits: ClassVar[bool] = True
    """Whether a model's ``train()`` may fit it; else it only switches a mode."""

    containers: ClassVar[frozenset[str]] = frozenset()
    """Its classes that hold a table and that no request can bring, as ``library.Class``."""

    wrappers: ClassVar[frozenset[str]] = frozenset()
    """The names of its functions and classes that wrap the table of a fit, their first argument."""

    answers_first: ClassVar[frozenset[str]] = frozenset()
    """The names of its functions and classes that take the answers before the table."""

    def base_of(self, model: Any) -> type | None:
        """The framework's class that ``model`` is an instance of; of two frameworks the one nearer to it decides."""
        return object if isinstance(model, object) else None

    def is_model(self, value: Any) -> bool:
        """Whether an instance of its class is a model; no code of ``value`` runs."""
        del value
        return True

    def answering(self, model: Any) -> Any:
        """The object whose methods answer, such as the one in a wrapper; no code of ``model`` runs."""
        return model

    def is_fitted(self, model: Any) -> bool:
        """False only if the library says that it is not; no code of the notebook's runs."""
        del model
        return True

    def steps(self, model: Any) -> Sequence[Any]:
        """Of a pipeline its steps, each a name and an estimator; no code of ``model`` runs."""
        del model
        return ()

    def may_be_trained(self, model: Any) -> bool:
        """Whether it may have been fitted on a table, which is then looked for in the executed cells."""
        return hasattr(type(model), "fit") or hasattr(model, "predict")

    def guess(self, model: Any, table: TableVariable, namespace: Mapping[str, Any]) -> tuple[str | None, float] | None:
        """An expression of the notebook's that the model can be asked with, made of a table, and how well it fits.

        The expression is None if this table does not fit. The guess is None if the framework knows nothing of its
        own: then the features and the number of columns decide.
        """
        del model, table, namespace
        return None

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

    def width(self, model: Any) -> int | None:
        """The number of columns that it was fitted on; None: it does not know it."""
        width = getattr(model, "n_features_in_", None)
        return width if isinstance(width, int) else None

    def kind(self, model: Any) -> str:
        """The model's class, for readers."""
        return f"{type(model).__module__}.{type(model).__qualname__}"

    def chooses_columns(self, model: Any) -> bool:
        """Whether a model may choose its columns by name, as a formula does; else their order counts."""
        del model
        return False

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
