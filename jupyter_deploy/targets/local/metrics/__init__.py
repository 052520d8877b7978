"""The exporter: a supervised program that answers an endpoint's ``/metrics``.

May import what ``targets`` may; the exporter itself needs the standard library alone.
"""

FOLDER = "metrics"
"""In the runtime directory: a document for each endpoint."""

STREAMS = "streams"
"""In the runtime directory: documents, states and metrics of the streams' workers."""

SOCKET = "metrics.sock"
"""The exporter's socket in the runtime directory."""
