"""Features by key: definitions, the query for all keys of a call, and the decoder of requests with keys.

Nothing of it is imported for a release without lookups.
"""
