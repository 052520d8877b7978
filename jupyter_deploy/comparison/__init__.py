"""Stable against a candidate, on records: rows, agreement, figures.

``record_log`` is the port ``InferenceLog``, which compares and reads pages of records.

Imports records and domain.
"""
