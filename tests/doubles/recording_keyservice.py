"""A key service that writes down what it is asked, and does what the test says.

Its messages are read by Google's protobuf from a description of sops's keyservice.proto, so that
nothing here shares a mistake with encconf's own reader.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_STRING, _BYTES, _MESSAGE = 9, 12, 11  # FieldDescriptorProto.Type
_KEYS = {
    "KmsKey": ["arn", "role", "context", "aws_profile"],
    "PgpKey": ["fingerprint"],
    "GcpKmsKey": ["resource_id"],
    "AzureKeyVaultKey": ["vault_url", "name", "version"],
    "VaultKey": ["vault_address", "engine_path", "key_name"],
    "AgeKey": ["recipient"],
    "HckmsKey": ["key_id"],
}
_CHOICES = ["kms_key", "pgp_key", "gcp_kms_key", "azure_keyvault_key", "vault_key", "age_key", "hckms_key"]


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="encconf_tests/keyservice.proto", syntax="proto3")

    def message(name: str, /, **fields: int | str) -> Any:
        made = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), 1):
            added = made.field.add(name=field, number=number, label=1)
            if isinstance(kind, str):
                added.type, added.type_name = _MESSAGE, f".{kind}"
            else:
                added.type = kind
        return made

    for name, members in _KEYS.items():
        made = message(name, **dict.fromkeys(members, _STRING))
        if "context" in members:
            entry = made.nested_type.add(name="ContextEntry")
            entry.options.map_entry = True
            for number, field in enumerate(("key", "value"), 1):
                entry.field.add(name=field, number=number, label=1, type=_STRING)
            context = made.field[members.index("context")]
            context.label, context.type, context.type_name = 3, _MESSAGE, f".{name}.ContextEntry"
    key = message("Key", **dict(zip(_CHOICES, _KEYS, strict=True)))
    key.oneof_decl.add(name="key_type")
    for field in key.field:
        field.oneof_index = 0
    message("EncryptRequest", key="Key", plaintext=_BYTES)
    message("EncryptResponse", ciphertext=_BYTES)
    message("DecryptRequest", key="Key", ciphertext=_BYTES)
    message("DecryptResponse", plaintext=_BYTES)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        each.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(each.name))
        for each in file.message_type
    }


MESSAGES = _classes()
"""The classes of protobuf by name: Key, EncryptRequest, DecryptRequest and so on."""


class RefusalError(Exception):
    """Raised by an answer: the status with which the call fails, and its text."""

    def __init__(self, code: grpc.StatusCode, text: str = "refused") -> None:
        super().__init__(text)
        self.code = code


def by_itself(method: str, request: Any) -> bytes:
    """An answer that wraps and unwraps for whatever key it is asked."""
    if method == "Encrypt":
        return b"wrapped:" + bytes(request.plaintext).hex().encode()
    text = bytes(request.ciphertext)
    if not text.startswith(b"wrapped:"):
        raise RefusalError(grpc.StatusCode.INVALID_ARGUMENT)
    return bytes.fromhex(text.removeprefix(b"wrapped:").decode())


class RecordingKeyservice:
    """Listens on a free port of 127.0.0.1 until it is left; ``uri`` is its address.

    ``answer`` gets "Encrypt" or "Decrypt" and the request; what it returns is the ciphertext or the
    data key.  ``requests`` has both, in the order in which they came.
    """

    def __init__(self, answer: Callable[[str, Any], bytes]) -> None:
        self.requests: list[tuple[str, Any]] = []
        self._answer = answer
        self._server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        methods = {
            "Encrypt": self._method("Encrypt", "ciphertext"),
            "Decrypt": self._method("Decrypt", "plaintext"),
        }
        handler = grpc.method_handlers_generic_handler("KeyService", methods)
        self._server.add_generic_rpc_handlers((handler,))
        self.uri = f"tcp://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def _method(self, name: str, member: str) -> Any:
        def handle(request: Any, context: Any) -> Any:
            self.requests.append((name, request))
            try:
                return MESSAGES[f"{name}Response"](**{member: self._answer(name, request)})
            except RefusalError as refusal:
                context.abort(refusal.code, str(refusal))

        return grpc.unary_unary_rpc_method_handler(
            handle,
            request_deserializer=MESSAGES[f"{name}Request"].FromString,
            response_serializer=MESSAGES[f"{name}Response"].SerializeToString,
        )

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(0).wait(10)
