"""The Monitor of a range of time (counts, performance, charts), metrics for Prometheus, and notifications.

Pure: the standard library and pydantic alone.
"""
