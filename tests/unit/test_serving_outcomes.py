"""What becomes of a request: what its record is made of."""

from types import SimpleNamespace

import pytest

from jupyter_deploy.serving.asgi.messages import RequestContext
from jupyter_deploy.serving.dispatch.outcomes import Outcome
from jupyter_deploy.serving.telemetry.recording import recording


@pytest.mark.parametrize(("kept", "written"), [("full", 1), ("meta", 0), ("off", 0)])
def test_the_inputs_of_a_table_are_written_out_only_for_a_record_that_has_them(kept, written):
    times = []

    class Table:
        rows = 2

        @property
        def inputs(self):
            times.append(1)
            return [[1.0], [2.0]]

    context = RequestContext({}, "seven", None, "direct", recording(kept))
    entry = Outcome(SimpleNamespace(context=context, parsed=Table()), 200, None).entry()
    assert (len(times), entry.rows, entry.inputs is not None) == (written, 2, bool(written))
