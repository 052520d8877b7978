"""Snapshots and bentos on disk: files with their digests, in BentoML's stores.

Imports environments, system, serving and domain.
"""
