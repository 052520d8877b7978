"""From a parsed request to the model: queue, batches, outcomes.

Imports serving alone.
"""
