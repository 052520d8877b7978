"""The gateway: Envoy as a process, its port, token and salt.

Imports what its parent does.
"""
