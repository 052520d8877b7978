"""Values of a search for models of a table: its request, trials, result and port.

Imports domain alone.
"""
