"""Secrets: how they are found in texts and code, and masked.

Imports domain alone.
"""
