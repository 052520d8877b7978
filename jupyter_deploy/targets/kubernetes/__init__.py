"""Releases as Deployments of one Kubernetes namespace, behind a gateway of several pods.

All objects are plain dictionaries; ``api.py`` sends them, ``releases.py`` and ``gateway/`` make them.
"""
