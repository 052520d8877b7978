"""A stream: messages of a broker are answered by an endpoint's releases; its request, state and port.

Imports ``domain`` alone.
"""
