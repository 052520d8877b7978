"""The operations over HTTP, in a Jupyter server: routes walked from OPERATIONS and VIEWS.

The server's part (``routes.py``, ``handlers.py``, ``worker_client.py``, ``events.py``) needs only the standard library
and tornado; everything else runs in the worker process (``worker.py``).
"""
