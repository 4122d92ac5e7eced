"""
Pinecone's indexes: queries, fetches and upserts, ``usage.readUnits`` and ``writeUnits``; and its hosted embeddings.

Reference: https://docs.pinecone.io/guides/manage-cost/understanding-cost
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.reader import Reader
from agent.dialects.values import Json, count, get, mapping, seconds, word
from agent.model import RequestHead

_DATA = re.compile(r"/(?:query|vectors/[a-z]+|records/namespaces/[^/]+/(?:search|upsert))$")


class PineconeIndex(Reader):
    api: ClassVar[str] = "pinecone/data"
    operation: ClassVar[str] = "retrieval"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.host.endswith(".pinecone.io") and _DATA.search(request.path) is not None

    def _take(self, answer: Json) -> None:
        usage = mapping(answer.get("usage"))
        self._count(
            read_units=seconds(usage.get("readUnits", usage.get("read_units"))),
            write_units=seconds(usage.get("writeUnits", usage.get("write_units"))),
            input_tokens=count(usage.get("embed_total_tokens")),
            search_units=count(usage.get("rerank_units")),
        )


class PineconeEmbed(Reader):
    api: ClassVar[str] = "pinecone/embed"
    operation: ClassVar[str] = "embeddings"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and request.host == "api.pinecone.io" and request.path == "/embed"

    def _take(self, answer: Json) -> None:
        self.served_model = word(answer.get("model"))
        self._count(input_tokens=count(get(answer, "usage", "total_tokens")))
