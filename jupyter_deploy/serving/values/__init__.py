"""Conversion of instances and answers between JSON and the model's types.

Imports serving alone.
"""
