"""Values of releases: endpoint, traffic, resources, status.

Imports domain alone.
"""
