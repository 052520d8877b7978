"""The verbs that answer other data than clients' requests: files (batch) and the messages of a broker (stream).

Imports domain and the other verbs.
"""
