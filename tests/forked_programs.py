"""The programs that tests run in forks, and the imports of the processes that are forked for them; see ``forks``."""

_OWN = (
    "jupyter_deploy.faces.cli.main", "jupyter_deploy.wiring", "jupyter_deploy.faces.kernel.python_api",
    "jupyter_deploy.targets.local.target", "jupyter_deploy.store.store", "jupyter_deploy.comparison.record_log",
    "jupyter_deploy.capture.capturer", "jupyter_deploy.notebooks.papermill", "jupyter_deploy.notebooks.execution",
    "jupyter_deploy.faces.render.render", "jupyter_deploy.verbs.deploy", "jupyter_deploy.verbs.validate",
    "jupyter_deploy.validation.runner", "jupyter_deploy.validation.judge", "pydantic_settings", "httpcore", "numpy",
    "duckdb", "cloudpickle", "nbformat", "nbclient", "papermill", "jupyter_client", "rich.console", "rich.progress",
    "attrs", "cattrs", "starlette.applications", "opentelemetry.sdk.trace", "prometheus_client", "simple_di",
    "aiohttp", "click", "yaml", "schema", "pip_requirements_parser", "uvicorn", "tomli_w", "envoy", "httpx",
    "jupyter_deploy.faces.cli.parser", "jupyter_deploy.faces.render.board", "jupyter_deploy.faces.render.progress",
    "jupyter_deploy.targets.local.http_client", "jupyter_deploy.verbs.down", "jupyter_deploy.verbs.logs",
    "jupyter_deploy.verbs.predict", "jupyter_deploy.verbs.status", "jupyter_deploy.verbs.traffic",
    "jupyter_deploy.targets.local.releases.activator", "jupyter_deploy.targets.local.supervisor.keeper",
    "jupyter_deploy.records.archivist", "jupyter_deploy.records.compaction", "jupyter_deploy.serving.environment",
    "jupyter_deploy.targets.local.metrics.exporter",
    "supervisor.supervisord", "supervisor.rpcinterface", "importlib.metadata", "jupyter_deploy.faces.cli.plain_line",
    "jupyter_deploy.store.shared_store", "jupyter_deploy.system.notifications", "jupyter_deploy.validation.project",
    "jupyter_deploy.targets.kubernetes.target", "jupyter_deploy.verbs.history", "jupyter_deploy.verbs.purge",
    "jupyter_deploy.verbs.reconcile", "jupyter_deploy.verbs.stop", "jupyter_deploy.faces.render.outcomes",
    "jupyter_deploy.drift_detection.batch_watch", "jupyter_deploy.drift_detection.drift_log",
    "jupyter_deploy.drift_detection.images", "jupyter_deploy.drift_detection.new_records",
    "jupyter_deploy.domain.drift.report", "jupyter_deploy.records.counts",
)  # fmt: skip
# What each ipykernel imports before its first cell.
_KERNEL = (
    "ipykernel.kernelapp",
    "ipykernel.debugger",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.logger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "IPython.utils.wildcard",
    "psutil",
    "sqlite3",
    "tornado.platform.asyncio",
    "tornado.queues",
)
PROGRAMS = {
    "own": _OWN,
    "bentos": ("bentoml",),
    "kernels": _KERNEL,
    "kernel-forks": (*_KERNEL, "numpy", "pandas"),  # the imports of nearly all notebooks that validate
    "jupyter": (
        "jupyterlab.labapp",
        "jupyterlab.handlers.announcements",
        "jupyterlab.labextensions",
        "jupyter_server.serverapp",
        "jupyter_server.services.contents.largefilemanager",
        "jupyter_server.services.kernels.kernelmanager",
        "jupyter_server_terminals",
        "jupyter_lsp",
        "notebook.app",
        "notebook_shim",
        "jupyter_deploy.faces.server.extension",
        "jupyter_deploy.faces.server.rest.routes",
    ),
    # Third-party alone: each fork imports the serving package from its own folder, as each clean process does.
    "models": (
        "numpy",
        "pandas",
        "cloudpickle",
        "sklearn.linear_model",
        "sklearn.ensemble",
        "sklearn.pipeline",
        "sklearn.preprocessing",
        "sklearn.compose",
        "uvicorn",
        "uvicorn.lifespan.on",
        "uvicorn.loops.auto",
        "uvicorn.protocols.http.auto",
        "uvicorn.protocols.websockets.auto",
        "msgspec",
    ),
}
"""The imports of each server of forks, by its name."""

UNSAFE = ("kernels", "kernel-forks", "jupyter")
"""The servers whose programs users start without ``-P``."""

SUPERVISED = (
    "jupyter_deploy.targets.local.supervisor.keeper", "jupyter_deploy.targets.local.releases.activator",
    "jupyter_deploy.records.archivist", "jupyter_deploy.targets.local.metrics.exporter",
)  # fmt: skip
_STARTED = (
    "supervisor.supervisord", "jupyter_deploy.records.archivist", "jupyter_deploy.faces.server.extension",
    "jupyter_deploy.faces.server.jobs.process", "jupyter_deploy.faces.server.rest.worker",
)  # fmt: skip


def server_of(words, *, replays):
    """The server whose forks run Python with these arguments; ``replays``: whether replays of models are among them."""
    if words[:2] == ["-m", "ipykernel_launcher"]:
        return "kernels"
    if words[0].endswith("/notebooks/kernels/fork_server.py"):
        return "kernel-forks"
    if words[0] == "-m" and words[1] in ("jupyterlab", "jupyterlab.labextensions", "jupyter_server"):
        return "jupyter"
    if words[0] != "-P" or len(words) < 2:
        return None
    kind, *others = words[1:]
    name = others[0] if others else ""
    for server, fits in (
        ("own", kind == "-m" and name in _STARTED),
        ("own", kind.endswith("/serving/environment.py")),
        ("bentos", kind.endswith("/artifacts/bento_build.py")),
        ("models", kind == "-c" and "from serving.standalone import main" in name),
        ("models", kind == "-c" and "from serving.batch.worker import main" in name),
        ("models", kind == "-c" and "from serving.replay import" in name and replays),
    ):
        if fits:
            return server
    return None
