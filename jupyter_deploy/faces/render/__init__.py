"""Results as text and HTML for every face.

Imports domain alone.
"""
