"""Google Cloud Storage on this machine, as far as publishing goes: objects put and read over HTTP.

    with Gcs() as gcs:
        gcs.buckets["b"] = {}
        environ = gcs.environ            # for Google's clients in Go and Python alike
        … gcs.buckets["b"]["name"].data

It takes uploads in one piece (``uploadType=multipart``) and in parts (``resumable``), as both clients make
them; status codes and answers are those of Google, as far as the clients look.
"""

from __future__ import annotations

import base64
import email.message
import email.parser
import hashlib
import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import google_crc32c
from doubles.serving import Serving


class Object:
    """What was put: its bytes and what the client said they are."""

    def __init__(self, data: bytes, type: str) -> None:
        self.data = data
        self.type = type


class Gcs(Serving):
    """Listens on 127.0.0.1 until `close`; an upload to a bucket of ``denied`` is refused."""

    def __init__(self) -> None:
        self.buckets: dict[str, dict[str, Object]] = {}
        self.denied: set[str] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.gcs = self  # type: ignore[attr-defined]
        self.sessions: dict[str, tuple[str, str, str]] = {}
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def environ(self) -> dict[str, str]:
        return {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{self._server.server_port}"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self._body()
        gcs: Gcs = self.server.gcs  # type: ignore[attr-defined]
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        steps = url.path.split("/")
        if steps[1:4] != ["upload", "storage", "v1"] or steps[4] != "b" or steps[6:] != ["o"]:
            return self._refuse(404, f"no such call: {url.path}")
        bucket = urllib.parse.unquote(steps[5])
        if bucket not in gcs.buckets:
            return self._refuse(404, "The specified bucket does not exist.")
        if bucket in gcs.denied:
            return self._refuse(403, "the caller does not have storage.objects.create access.")
        if query["uploadType"] == "resumable":
            meta = json.loads(body or b"{}")
            session = f"s{len(gcs.sessions)}"
            gcs.sessions[session] = (
                bucket,
                query.get("name") or meta["name"],
                meta.get("contentType", self.headers.get("X-Upload-Content-Type", "")),
            )
            self.send_response(200)
            self.send_header("Location", f"http://{self.headers['Host']}/session/{session}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        parts = _parts(self.headers["Content-Type"], body)
        meta = json.loads(parts[0][1])
        data = parts[1][1]
        type = meta.get("contentType") or parts[1][0].get_content_type()
        return self._put(gcs, bucket, query.get("name") or meta["name"], Object(data, type))

    def do_PUT(self) -> None:
        data = self._body()
        gcs: Gcs = self.server.gcs  # type: ignore[attr-defined]
        bucket, name, type = gcs.sessions[self.path.rpartition("/")[2]]
        self._put(gcs, bucket, name, Object(data, type))

    def do_GET(self) -> None:
        gcs: Gcs = self.server.gcs  # type: ignore[attr-defined]
        url = urllib.parse.urlsplit(self.path)
        _, _, _, bucket, *object = url.path.strip("/").split("/", 5)
        if not object:  # Google's client in Python asks what kind of bucket it is
            about = {"kind": "storage#bucket", "name": bucket, "projectNumber": "1", "location": "EU"}
            return self._answer(200, json.dumps(about).encode(), "application/json")
        name = object[-1]
        found = gcs.buckets.get(urllib.parse.unquote(bucket), {}).get(urllib.parse.unquote(name))
        if found is None:
            return self._refuse(404, "No such object")
        return self._answer(200, found.data, found.type)

    def _put(self, gcs: Gcs, bucket: str, name: str, made: Object) -> None:
        gcs.buckets[bucket][name] = made
        checksum = base64.b64encode(google_crc32c.value(made.data).to_bytes(4, "big")).decode()
        about = {
            "kind": "storage#object",
            "bucket": bucket,
            "name": name,
            "size": str(len(made.data)),
            "contentType": made.type,
            "generation": "1",
            "metageneration": "1",
            "crc32c": checksum,
            "md5Hash": base64.b64encode(hashlib.md5(made.data, usedforsecurity=False).digest()).decode(),
        }
        self._answer(200, json.dumps(about).encode(), "application/json")

    def _refuse(self, code: int, message: str) -> None:
        body = {"error": {"code": code, "message": message, "errors": [{"message": message}]}}
        self._answer(code, json.dumps(body).encode(), "application/json")

    def _answer(self, code: int, body: bytes, type: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body


def _parts(type: str, body: bytes) -> list[tuple[email.message.Message, bytes]]:
    """Headers and bytes of each part of a ``multipart/related`` body, the bytes untouched."""
    whole = email.message.Message()
    whole["Content-Type"] = type
    boundary = b"--" + str(whole.get_param("boundary")).encode()
    found = []
    for piece in (b"\r\n" + body).split(b"\r\n" + boundary)[1:-1]:
        head, _, data = piece.lstrip(b"\r\n").partition(b"\r\n\r\n")
        found.append((email.parser.BytesParser().parsebytes(head + b"\r\n\r\n"), data))
    return found
