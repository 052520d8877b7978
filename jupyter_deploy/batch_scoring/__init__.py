"""Batches on this machine: worker processes of a model, and the partitions that they score.

May come in: the coordination of workers. What a worker does is in ``serving/batch/``.
"""
