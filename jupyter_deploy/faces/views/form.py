"""How to try an endpoint by hand, and how programs ask it."""

from __future__ import annotations

from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.verbs.change import find, target_of
from jupyter_deploy.verbs.status import status_of

from .cards import address
from .fields import fields_of
from .form_documents import FormView
from .requests import FormRequest
from .snippets import snippets


def form(request: FormRequest, ports: Ports) -> FormView:
    """What a release takes, filled with the first instance of its example.

    Raises
    ------
    StoreError
        Its snapshot is not known any more.
    """
    endpoint = find(ports, request.name)
    tag = endpoint.release(request.release).tag if request.release else endpoint.traffic.stable
    snapshot = ports.store.remembered(tag)
    if snapshot is None:
        raise StoreError(f"the store has lost the snapshot {tag}", "deploy the model again")
    signature, instances = snapshot.manifest.signature, snapshot.manifest.instances
    instance = instances[0] if instances else None
    target = target_of(ports, endpoint.target)
    url = address(status_of(endpoint, target.observe(endpoint), ports))
    return FormView(
        name=endpoint.name,
        release=tag,
        url=url,
        fields=fields_of(signature.instance_schema, instance),
        instance=instance,
        snippets=snippets(url, {"instances": instances[:1]}, target.header_file),
    )
