"""The search for models of a table: its reading and checks, families of models, engines, and the notebook.

Imports model_selection, validation, environments, system and domain.
"""
