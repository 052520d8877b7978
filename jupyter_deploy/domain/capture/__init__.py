"""Values of capture: snapshot, signature, checks' findings, differences, reproduction.

Imports domain alone.
"""
