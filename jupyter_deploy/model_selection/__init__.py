"""The measurement of models in clean processes, and the intervals of their scores.

May come in: domain, serving, system, validation.
"""
