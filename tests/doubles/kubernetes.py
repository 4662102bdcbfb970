"""As much of a Kubernetes API server as Vault's login by service account asks: reviews of tokens.

    with Kubernetes(ca.context()) as cluster:
        token = cluster.token("default", "app")
        # Vault's auth/kubernetes/config: kubernetes_host=cluster.url

The tokens are JWTs with the claims of a service account; whether one is good, the review says.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from doubles.serving import Serving

_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


class Kubernetes(Serving):
    """``calls`` are the paths that were asked for."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.calls: list[str] = []
        self._key = rsa.generate_private_key(65537, 2048)
        self._known: dict[str, dict[str, object]] = {}
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                cluster.calls.append(self.path)
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = cluster._known.get(review["spec"]["token"], {"authenticated": False})
                body = json.dumps({**review, "status": status}).encode()
                self.send_response(201 if self.path == _REVIEWS else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Nothing: pytest shows what matters."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_port}"

    def token(self, namespace: str, account: str, *, known: bool = True) -> str:
        """A token of a service account, which the cluster knows or not."""
        name = f"system:serviceaccount:{namespace}:{account}"
        about = {"namespace": namespace, "serviceaccount": {"name": account, "uid": f"uid-of-{account}"}}
        claims: dict[str, Any] = {
            "iss": "https://kubernetes.default.svc.cluster.local",
            "sub": name,
            "jti": uuid.uuid4().hex,
            "aud": ["https://kubernetes.default.svc.cluster.local"],
            "iat": int(time.time()),
            "nbf": int(time.time()) - 10,
            "exp": int(time.time()) + 3600,
            "kubernetes.io": about,
        }
        token = jwt.encode(claims, self._key, algorithm="RS256")
        if known:
            user = {"username": name, "uid": f"uid-of-{account}", "groups": ["system:serviceaccounts"]}
            self._known[token] = {"authenticated": True, "user": user, "audiences": claims["aud"]}
        return token
