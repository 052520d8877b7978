"""The kernel's faces: magics, Python API, validation API and JupyterLab's bridge.

Imports verbs, wiring and what they render with.
"""
