"""Records, feedback, metrics, traces and logs of a release.

Imports serving alone.
"""
