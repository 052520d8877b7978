"""Drift of releases: watches over the recorded requests, kept up to date by the archivist and by each look.

Imports records, system, serving and domain. The statistics are in ``domain.drift``.
"""
