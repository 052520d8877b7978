"""The supervisor: supervisord, its keeper, and the last step before a process.

Imports what its parent does.
"""
