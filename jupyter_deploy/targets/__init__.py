"""Targets: where releases run, one package a target, found by the entry point group ``nbdeploy.targets``.

Imports system, serving, images, artifacts and domain.
"""
