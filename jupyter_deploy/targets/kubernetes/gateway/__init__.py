"""The gateway in a cluster: its objects, endpoints' routes in ConfigMaps, and their confirmation by every pod.

Imports what its parent does.
"""
