"""Files and effects of a model's code, seen by Python's audit events.

Imports serving alone.
"""
