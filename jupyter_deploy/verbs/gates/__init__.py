"""The gates of endpoints, enforced by the verbs that release or publish.

Imports domain and the other verbs.
"""
