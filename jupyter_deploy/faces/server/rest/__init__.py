"""The operations over HTTP, in a Jupyter server: routes walked from OPERATIONS and VIEWS.

The server's part (``handlers.py``, ``asking.py``, ``events.py``) needs the standard library and tornado alone; all
else is in the asked process (``asked.py``).
"""
