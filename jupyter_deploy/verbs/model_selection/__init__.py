"""The verbs of a choice among models: candidates of a notebook, and a search for models of a table.

Imports domain and the other verbs.
"""
