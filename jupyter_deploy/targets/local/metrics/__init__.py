"""The exporter: a supervised program that answers an endpoint's ``/metrics``.

May import what ``targets`` may; the exporter itself needs the standard library alone.
"""

FOLDER = "metrics"
"""In the runtime directory: a document for each endpoint."""

SOCKET = "metrics.sock"
"""The exporter's socket in the runtime directory."""
