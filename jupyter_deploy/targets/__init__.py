"""Targets: where releases run, one package a target, found by the entry point group ``nbdeploy.targets``.

Imports container_images, artifacts, serving, system and domain.
"""
