"""Reads and side effects of a model's code, observed through Python's audit events.

Imports serving alone.
"""
