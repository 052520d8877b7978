"""Processes that host a bento: options, sockets, workers, shutdown.

Imports serving alone.
"""
