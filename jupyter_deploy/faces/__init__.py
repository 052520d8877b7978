"""The thin faces over the operations: command line, magics, Python, panel and server."""
