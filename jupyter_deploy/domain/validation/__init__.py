"""Values of validation notebooks: metrics, verdicts, charts, requests, ports.

Imports domain alone.
"""
