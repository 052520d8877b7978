"""Capture of a live object as a proved snapshot: candidates, checks, frameworks, replay.

Imports notebooks, artifacts, masking, environments, system, serving and domain.
"""
