"""The gates of endpoints, enforced by the verbs that release or publish.

It may import domain and the other modules of ``verbs``.
"""
