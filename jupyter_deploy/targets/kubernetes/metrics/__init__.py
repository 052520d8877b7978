"""Metrics of all releases in a namespace: the exporter, a program in a pod of its own, and its objects."""
