"""
Pinecone's indexes over gRPC: ``/VectorService/Query`` and its sisters, and the read units that they state.

Reference: https://github.com/pinecone-io/pinecone-protos, db_data
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.protobuf import Message
from agent.dialects.reader import Reader
from agent.dialects.values import Json
from agent.model import RequestHead, StreamItem

_PATH = re.compile(r"/VectorService/(Query|Fetch|List|Upsert|Update|Delete)$")
# Method → the field of its answer that is Usage; field 1 of that is the read units.  What writes states nothing.
_USAGE = {"Query": 4, "Fetch": 3, "List": 4}


class PineconeGrpc(Reader):
    api: ClassVar[str] = "pinecone/data"
    operation: ClassVar[str] = "retrieval"
    streams: ClassVar[bool | None] = False

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.host.endswith(".pinecone.io") and _PATH.search(request.path) is not None

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        method = _PATH.search(request.path)
        self._field = _USAGE.get(method[1], 0) if method else 0

    def request_body(self, body: bytes, complete: bool) -> None:
        """Vectors."""

    def item(self, item: StreamItem) -> None:
        usage = Message(item.data).message(self._field)
        if usage:
            self._count(read_units=float(usage.number(1) or 0))

    def _take(self, answer: Json) -> None:
        """gRPC answers with messages; what is JSON here is a proxy's."""
