"""The databases of endpoints, revisions, snapshots and jobs, in SQLite.

Imports system and domain.
"""
