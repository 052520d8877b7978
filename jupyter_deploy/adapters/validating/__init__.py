"""Validation notebooks: read, run by Papermill, what they measured, and the models that they ask."""
