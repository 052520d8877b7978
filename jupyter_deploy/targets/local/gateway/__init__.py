"""The gateway: Envoy's documents (pure) and Envoy's process.

Imports what its parent does.
"""
