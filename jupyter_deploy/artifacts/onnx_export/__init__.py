"""Exports of translated snapshots: the graph with clients in several languages, which are in ``clients/``.

Imports ``domain``, ``system`` and the other modules of ``artifacts``.
"""
