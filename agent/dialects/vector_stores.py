"""
Vector stores that run in the cluster or are rented: Qdrant, Chroma, Milvus and Zilliz, Weaviate, Elasticsearch's vector search.

References: https://api.qdrant.tech, https://docs.trychroma.com/reference, https://milvus.io/api-reference/restful, https://weaviate.io/developers/weaviate/api
Most answers state nothing that is billed: a call is then time and outcome alone.  Zilliz states its units, Qdrant the tokens of models that it
ran itself.  Only paths that nobody else has are read: Elasticsearch's ``_search`` is mostly logs, and ``/v1/graphql`` is Hasura's too.
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.answers import MAX_TOOL_CALLS
from agent.dialects.reader import NOTHING, Reader
from agent.dialects.values import Json, count, error_word, get, mapping, seconds, word
from agent.model import RequestHead

_QDRANT = re.compile(r"^/collections/[^/]+/points(?:/(?:query|search|recommend|discover|scroll|batch)(?:/\w+)?)?$")
_CHROMA = re.compile(r"^/api/v[12]/(?:tenants/[^/]+/databases/[^/]+/)?collections/[^/]+/(?:query|get)$")
_MILVUS = re.compile(r"^/v2/vectordb/entities/(?:search|hybrid_search|query|get|insert|upsert|delete)$")
_ELASTIC = re.compile(r"^/[^/]+/_knn_search$")


class _Store(Reader):
    operation: ClassVar[str] = "retrieval"

    def _ask(self, asked: Json) -> None:
        """Names of collections are the customer's, not models."""

    def _end(self, *, complete: bool) -> None:
        self.free = self.usage == NOTHING


class Qdrant(_Store):
    api: ClassVar[str] = "qdrant/points"
    _shape: ClassVar[frozenset[str]] = frozenset({"result", "status"})

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method in ("POST", "PUT") and _QDRANT.search(request.path) is not None

    def _take(self, answer: Json) -> None:
        if isinstance(get(answer, "status", "error"), str):
            self.error = "error"
        models = list(mapping(get(answer, "usage", "inference", "models")).items())[:MAX_TOOL_CALLS]
        tokens = [found for _, used in models if (found := count(get(used, "tokens"))) is not None]
        if tokens:
            self.served_model = word(models[0][0])
            self._count(input_tokens=sum(tokens))


class Chroma(_Store):
    api: ClassVar[str] = "chroma/query"
    _shape: ClassVar[frozenset[str]] = frozenset({"ids"})

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and _CHROMA.search(request.path) is not None


class Milvus(_Store):
    api: ClassVar[str] = "milvus/entities"
    _shape: ClassVar[frozenset[str]] = frozenset({"code"})

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and _MILVUS.search(request.path) is not None

    def _take(self, answer: Json) -> None:
        if answer.get("code") not in (0, 200, None):
            self.error = error_word({"code": answer.get("code")})
        # Zilliz alone states it, in its vCU; Milvus of one's own says 0.
        self._count(read_units=seconds(answer.get("cost")) or None)


class Weaviate(_Store):
    api: ClassVar[str] = "weaviate/graphql"
    _shape: ClassVar[frozenset[str]] = frozenset({"data", "errors"})

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and request.path == "/v1/graphql" and "weaviate" in request.host

    def _take(self, answer: Json) -> None:
        if answer.get("errors"):
            self.error = "graphql_error"


class ElasticsearchKnn(_Store):
    api: ClassVar[str] = "elasticsearch/knn"
    _shape: ClassVar[frozenset[str]] = frozenset({"took", "hits"})

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and _ELASTIC.search(request.path) is not None
