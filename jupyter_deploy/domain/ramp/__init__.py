"""Ramps: a canary in steps, advanced and rolled back by evidence. A state machine of pure functions.

Imports domain alone. docs/architecture/17-ramp.md describes it.
"""
