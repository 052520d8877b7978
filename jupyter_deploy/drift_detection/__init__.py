"""Drift of releases: watches over the recorded requests, kept up to date by the archivist and by each look.

May import: records, system, serving. The statistics are in ``domain.drift``.
"""
