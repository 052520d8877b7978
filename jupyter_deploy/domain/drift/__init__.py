"""Drift of a release's inputs and answers: sketches of a reference, evidence against them, alarms.

Pure: the standard library and pydantic alone.
"""
