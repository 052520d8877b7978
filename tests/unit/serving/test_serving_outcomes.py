"""Outcomes of requests and their records."""

from types import SimpleNamespace

import pytest

from jupyter_deploy.serving.asgi.messages import RequestContext
from jupyter_deploy.serving.dispatch.outcomes import Outcome
from jupyter_deploy.serving.telemetry.recording import recording


@pytest.mark.parametrize(("kept", "written"), [("full", 1), ("meta", 0), ("off", 0)])
def test_a_tables_inputs_are_converted_only_for_a_record_with_inputs(kept, written):
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
