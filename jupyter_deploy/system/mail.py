"""An event as an e-mail: words for people, and the event itself as an attachment."""

from __future__ import annotations

import json
import re
import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from hashlib import blake2b
from typing import Any

from jupyter_deploy.domain.monitoring.destination import MailServer
from jupyter_deploy.domain.monitoring.events import in_words

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_SUBJECT = 200
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def send_mail(event: Mapping[str, Any], address: str, server: MailServer, seconds: float) -> str:
    """Send an event; return the reason of a failure without credentials; empty: the server accepted it."""
    try:
        with _connected(server, seconds) as connection:
            if not server.encrypted:
                connection.ehlo()
                # A mail server of this machine often has a certificate that nobody signed.
                if connection.has_extn("starttls") and (server.password or server.host not in _LOOPBACK):
                    connection.starttls(context=ssl.create_default_context())
                elif server.password:
                    return "it offers no encryption, and a password is set"
            if server.user:
                connection.login(server.user, server.password)
            connection.send_message(_message(event, address, server))
    except smtplib.SMTPResponseException as error:
        return f"{type(error).__name__}, code {error.smtp_code}"
    except (smtplib.SMTPException, OSError, ValueError) as error:  # ValueError: credentials that are not ASCII
        return type(error).__name__
    return ""


def _connected(server: MailServer, seconds: float) -> smtplib.SMTP:
    if server.encrypted:
        return smtplib.SMTP_SSL(server.host, server.port, timeout=seconds, context=ssl.create_default_context())
    return smtplib.SMTP(server.host, server.port, timeout=seconds)


def _message(event: Mapping[str, Any], address: str, server: MailServer) -> EmailMessage:
    subject, text = in_words(event)
    message = EmailMessage()
    message["Subject"] = _CONTROL.sub(" ", subject)[:_SUBJECT]
    message["From"] = server.user if "@" in server.user else address
    message["To"] = address
    number = blake2b(f"{event['source']} {event['id']}".encode(), digest_size=16).hexdigest()
    message["Message-ID"] = f"<{number}@nbdeploy.invalid>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    message.add_attachment(
        json.dumps(event, indent=2).encode(), maintype="application", subtype="json", filename="event.json"
    )
    return message
