"""Processes, files, locks, digests, git and unix sockets.

Imports serving and domain.
"""
