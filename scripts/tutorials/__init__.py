"""Notebooks of Python packages and the dialog's first guess in each: ``python -m scripts.tutorials``."""
