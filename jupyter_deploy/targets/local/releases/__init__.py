"""Releases as processes or containers: start, limits, environment.

Imports what its parent does.
"""
