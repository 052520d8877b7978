"""Dead letters: CloudEvents with a message that cannot be answered, and the reason. Pure."""

from __future__ import annotations

import base64
import json
from datetime import datetime

from jupyter_deploy.domain.monitoring.events import cloud_event

from .deliveries import Delivery
from .gateway import Answer

CONTENT_TYPE = "application/cloudevents+json"
KIND = "stream.dead-letter"


def dead_letter(endpoint: str, message: Delivery, answer: Answer, attempts: int, at: datetime) -> bytes:
    """Return the event; the message's body is text, or base64 if it is none."""
    try:
        body = {"body": message.body.decode("utf-8")}
    except UnicodeDecodeError:
        body = {"body_base64": base64.b64encode(message.body).decode("ascii")}
    data = {
        "endpoint": endpoint,
        "release": answer.headers.get("x-model-version"),
        "status": answer.status,
        "reason": answer.reason,
        "attempts": attempts,
        "message": {
            "id": message.id,
            "key": message.key,
            "place": message.place,
            "position": message.position,
            "content_type": message.content_type,
            **body,
        },
    }
    event = cloud_event(KIND, f"endpoints/{endpoint}/stream", message.position, at, data, subject=message.place)
    return json.dumps(event, ensure_ascii=False).encode()
