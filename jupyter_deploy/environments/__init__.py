"""Installed distributions, locks and isolated environments.

Imports system and domain.
"""
