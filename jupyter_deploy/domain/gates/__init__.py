"""Gates: the value, its parser, and the figures of a comparison that a gate can be on.

Imports domain alone. The judge of notebook metrics is ``validation.judge``.
"""
