"""The search for models of a table: its reading and checks, families of models, engines, and the notebook.

May come in: domain, model_selection, system, validation.
"""
