"""The ASGI application: front, request bodies, problems, OpenAPI.

Imports serving alone.
"""
