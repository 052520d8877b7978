"""Stable against a candidate, on records: rows, agreement, figures.

Imports records and domain.
"""
