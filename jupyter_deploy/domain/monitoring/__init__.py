"""Metrics of endpoints in Prometheus' text format, and notifications.

Pure: the standard library and pydantic alone.
"""
