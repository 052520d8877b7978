"""Kernels of notebooks that nbdeploy executes: launch, fork server, provisioner.

Imports what its parent does.
"""
