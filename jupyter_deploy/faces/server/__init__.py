"""The Jupyter server's extension: routes over the verbs, and jobs.

Imports verbs, wiring and views; what a starting server imports is light.
"""


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "jupyter_deploy.faces.server.extension"}]
