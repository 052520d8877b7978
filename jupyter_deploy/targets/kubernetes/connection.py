"""A connection to the API: by a kubeconfig, or in a pod by the account that it has.

The official client reads the kubeconfig (certificates, tokens, programs that print credentials, OpenID Connect). It is
imported at the first request: a command that needs no cluster does not wait for it. A pod's account is two files, so a
pod needs no such client.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.errors import InvalidInput

from .settings import ClusterSettings

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class Connection:
    """The API at ``host``: a pool of urllib3 sends the requests, and ``authorize`` adds credentials to their headers.

    ``authorize`` takes the headers, the path and the method.
    """

    host: str
    pool: Any
    authorize: Callable[[dict[str, str], str, str], None]


def connect(settings: ClusterSettings) -> Connection:
    """Connect, without a request yet.

    Raises
    ------
    InvalidInput
        The official client is not installed, or the kubeconfig cannot be used.
    """
    in_pod = settings.kubeconfig is None and not _has_kubeconfig() and (_ACCOUNT / "token").exists()
    made = _of_account() if in_pod else _of_kubeconfig(settings)
    # A fork must not speak on its parent's connections.
    os.register_at_fork(after_in_child=made.pool.clear)
    return made


def _of_account() -> Connection:
    import urllib3

    host = os.environ.get("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc")
    port = os.environ.get("KUBERNETES_SERVICE_PORT", "443")

    def authorize(headers: dict[str, str], _path: str, _method: str) -> None:
        # The kubelet replaces the token before it expires.
        headers["authorization"] = f"Bearer {(_ACCOUNT / 'token').read_text().strip()}"

    address = f"https://{f'[{host}]' if ':' in host else host}:{port}"
    return Connection(address, urllib3.PoolManager(ca_certs=str(_ACCOUNT / "ca.crt")), authorize)


def _of_kubeconfig(settings: ClusterSettings) -> Connection:
    try:
        from kubernetes import client, config
    except ImportError as error:
        raise InvalidInput(
            f"the target kubernetes needs a package: {error}", "pip install 'nbdeploy[kubernetes]'"
        ) from error
    file = settings.kubeconfig
    configuration = client.Configuration()
    try:
        config.load_kube_config(
            config_file=str(file.expanduser()) if file else None,
            context=settings.context,
            client_configuration=configuration,
            persist_config=False,
        )
    except Exception as error:  # a malformed file raises nearly anything: KeyError, TypeError, YAMLError …
        raise InvalidInput(
            f"the kubeconfig {file or 'of this user'} cannot be used: {_line(error)}",
            "name another file or context: NBDEPLOY_KUBERNETES__KUBECONFIG, NBDEPLOY_KUBERNETES__CONTEXT; "
            "'kubectl config get-contexts' lists them",
        ) from error
    made = client.ApiClient(configuration)

    def authorize(headers: dict[str, str], path: str, method: str) -> None:
        made.update_params_for_auth(headers, [], ["BearerToken"], path, method, None)

    return Connection(configuration.host, made.rest_client.pool_manager, authorize)


def _has_kubeconfig() -> bool:
    return bool(os.environ.get("KUBECONFIG")) or (Path.home() / ".kube" / "config").exists()


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
