"""A token server like those of companies and clouds: it grants scopes."""

import base64
import json
import subprocess
import threading
import time
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@contextmanager
def token_server(folder, allowed):
    """Settings of ``docker-registry`` for one that gives everybody the rights ``allowed``, and no others."""
    folder.mkdir()
    key, certificate = folder / "token.key", folder / "token.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tokens"]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    der = subprocess.run(["openssl", "x509", "-in", certificate, "-outform", "DER"], check=True, capture_output=True)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            scopes = parse_qs(urlsplit(self.path).query).get("scope", [])
            access = [
                {"type": kind, "name": name, "actions": [one for one in actions.split(",") if one in allowed]}
                for kind, name, actions in (scope.split(":") for scope in scopes)
            ]
            answer = json.dumps({"token": _token(key, der.stdout, access)}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        realm = f"http://127.0.0.1:{server.server_port}/token"
        about = {"realm": realm, "service": "registry", "issuer": "tokens", "rootcertbundle": str(certificate)}
        yield {"token": about}
    finally:
        server.shutdown()
        server.server_close()


def _token(key, der, access):
    now = int(time.time())
    header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
    claims = {"iss": "tokens", "sub": "ada", "aud": "registry", "jti": uuid.uuid4().hex, "access": access}
    claims |= {"iat": now, "nbf": now - 60, "exp": now + 3600}
    signed = b".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
    by = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=signed, check=True, capture_output=True)
    return (signed + b"." + _encoded(by.stdout)).decode()


def _encoded(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=")
