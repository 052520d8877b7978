"""The local target: releases on this machine behind Envoy, under supervisord.

Imports what its parent does.
"""
