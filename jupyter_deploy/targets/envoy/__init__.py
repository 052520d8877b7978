"""Envoy's documents as a function of the endpoints, for every target that has an Envoy as its gateway. Pure.

Imports serving and domain.
"""
