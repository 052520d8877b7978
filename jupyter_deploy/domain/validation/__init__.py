"""Values of validation notebooks: gates, metrics, verdicts, charts, requests, ports.

Imports domain alone.
"""
