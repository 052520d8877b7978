"""A batch: the rows of files are answered by a release, once or by a schedule; request, state, results and port.

Imports ``domain`` and cronsim alone.
"""
