"""Values and statistics of records and comparisons: inferences, agreement, intervals, verdicts.

Imports domain alone.
"""
