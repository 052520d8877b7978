"""``model_input()``: the input of a release's model, restored from a record."""

from __future__ import annotations

from typing import Any

from jupyter_deploy.domain import errors
from jupyter_deploy.domain.evidence.inference import Record
from jupyter_deploy.faces.render.notebook_errors import errors_at_caller


@errors_at_caller
def model_input(record: Record) -> Any:
    """Restore a record's input as the model's own type of data frame, array, tensor or list.

    Parameters
    ----------
    record : Record
        One of ``logs()``.

    Returns
    -------
    Any
        The batch; for a function that is called once per row, a list of its keyword arguments.

    Raises
    ------
    InvalidInput
        The record has no input, or one that the model does not accept.
    UnknownSource
        The snapshot of the release is missing.
    Untrusted, EnvironmentChanged
        The snapshot's files have changed since the capture, or another Python wrote them.
    """
    from jupyter_deploy.serving import snapshot  # imports NumPy and the example's libraries
    from jupyter_deploy.serving.values.validation import InvalidInstances
    from jupyter_deploy.wiring import Wiring

    if record.redacted:
        raise errors.InvalidInput(
            f"the input of {record.request_id} is on record without {', '.join(record.redacted)}, which was redacted",
            "what is on record of it is in record.inputs, as JSON values",
        )
    if not isinstance(record.inputs, list):
        raise errors.InvalidInput(
            f"no instances of request {record.request_id} are on record",
            f"'nbdeploy traffic {record.endpoint} --record full' has them recorded from then on",
        )
    known = Wiring().ports.store.remembered(record.release)
    if known is None:
        raise errors.UnknownSource(
            f"the store does not know {record.release} any more", "the instances are in record.inputs, as JSON values"
        )
    try:
        return snapshot.codec(known.path, known.digest).decode(record.inputs)
    except snapshot.SnapshotChanged as error:
        raise errors.Untrusted(str(error), "deploy the model again from its notebook") from error
    except snapshot.EnvironmentChanged as error:
        raise errors.EnvironmentChanged(
            str(error), "use a kernel of that Python; record.inputs has the instances, as JSON values"
        ) from error
    except InvalidInstances as error:
        raise errors.InvalidInput(
            f"{record.release} does not take these instances: {error}", "they are in record.inputs, as JSON values"
        ) from error
