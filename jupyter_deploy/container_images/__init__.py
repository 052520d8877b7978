"""OCI images: layers, bases, bills of materials, registries, container engines.

Imports artifacts, environments, system and domain.
"""
