"""Notebooks: how they are read, executed headless and given a kernel.

Imports masking, environments, system, serving and domain.
"""
