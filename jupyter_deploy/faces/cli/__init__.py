"""The command line and the pytest plugin.

Imports verbs, wiring and the other faces' rendering.
"""
