"""What widgets show: one document a view, made from a request and the ports, in the one table that REST walks.

A view reads and never writes. It runs in ``faces/server/rest/worker.py``, a process that lives as long as the
Jupyter server, in one of several threads. The table is ``table.py``: a kernel needs some documents, and not all.
"""
