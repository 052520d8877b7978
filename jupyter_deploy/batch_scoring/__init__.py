"""Batches of tables: the coordination of worker processes; and a model's answers for an explanation.

A worker's own program is ``serving/batch/``. Imports serving, system and domain.
"""
