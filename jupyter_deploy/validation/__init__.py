"""Validation notebooks: parameters, runs, metrics, gates' verdicts, reports, scaffold.

Imports notebooks, masking, environments, system, serving and domain.
"""
