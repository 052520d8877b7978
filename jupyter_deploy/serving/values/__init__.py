"""Instances and answers: from JSON to a model's arguments and back.

Imports serving alone.
"""
