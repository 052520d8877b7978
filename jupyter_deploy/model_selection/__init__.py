"""The measurement of models in clean processes, and the intervals of their scores.

Imports validation, serving, system and domain.
"""
