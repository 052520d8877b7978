"""Streams: a worker reads the messages of a broker, has an endpoint answer them, and publishes the answers.

May import ``domain`` and ``system``. The brokers' libraries are extras, imported by the modules ``*_broker`` alone.
"""
