"""Notebooks: reading, headless execution, and kernels.

Imports masking, environments, system, serving and domain.
"""
