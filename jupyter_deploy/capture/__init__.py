"""A live object becomes a proved snapshot: candidates, checks, frameworks, replay.

Imports notebooks, artifacts, masking, environments, system, serving and domain.
"""
