"""An endpoint as a Compose project.

Imports what its parent does.
"""
