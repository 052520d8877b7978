"""The way from a request to the model: parsed requests, queue, batches, outcomes.

Imports serving alone.
"""
