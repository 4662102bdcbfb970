"""A gRPC service under one of Google's names, over TLS on this machine; a double says what it answers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from typing import Any

import grpc
from doubles.testca import TestCA
from google.api_core import exceptions


@contextlib.contextmanager
def serve(
    name: str, messages: Mapping[str, tuple[Any, Any]], call: Callable[[str, Any, str], Any], ca: TestCA
) -> Iterator[int]:
    """Serve on 127.0.0.1; gives the port.

    ``messages`` has what each operation is asked with and answers, ``call`` gets the operation, the message
    and the ``authorization`` header, and may raise Google's errors.
    """

    def handler(operation: str) -> grpc.RpcMethodHandler:
        asked, answered = messages[operation]

        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            try:
                headers = dict(context.invocation_metadata())
                return call(operation, request, headers.get("authorization", ""))
            except exceptions.GoogleAPICallError as error:
                context.abort(error.grpc_status_code, error.message)

        return grpc.unary_unary_rpc_method_handler(
            answer, request_deserializer=asked.deserialize, response_serializer=answered.serialize
        )

    server = grpc.server(futures.ThreadPoolExecutor(32))
    methods = {operation: handler(operation) for operation in messages}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, methods),))
    pair = (ca.key.read_bytes(), ca.certificate.read_bytes())
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()
