"""Detection and masking of secrets in texts and code.

Imports domain alone.
"""
