"""Results as text and HTML for every face.

Imports domain, and the table of verbs, which names the pages.
"""
