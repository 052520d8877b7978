"""The ASGI application: front, request bodies, problem documents, OpenAPI.

Imports serving alone.
"""
