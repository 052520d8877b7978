"""The log of inferences: segments, ledger, feedback, compaction, retention, purge.

Imports system, serving and domain.
"""
