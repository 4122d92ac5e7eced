"""One request and its answer, from heads to a Call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from agent.dialects.base import Dialect
from agent.dialects.by_body import ByBody
from agent.estimation.counting import Tokenizer
from agent.estimation.seen import Seen, countable
from agent.model import (
    Call,
    ConnId,
    Evidence,
    Outcome,
    Reading,
    RequestHead,
    ResponseHead,
    StreamItem,
    Unsupported,
)
from agent.pipeline.account import account_of
from agent.pipeline.body import STREAMS, RequestBody, ResponseBody
from agent.pipeline.gateways import may_be_inside
from agent.pipeline.passed_on import cached_by_gateway, passed_on_of, request_id_of, without_usage

# https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto; 0 is OK.
_HTTP_STATUS_OF_GRPC = {
    "1": 499, "2": 500, "3": 400, "4": 504, "5": 404, "6": 409, "7": 403, "8": 429,
    "9": 400, "10": 409, "11": 400, "12": 501, "13": 500, "14": 503, "15": 500, "16": 401,
}  # fmt: skip

# What a stream that was cut leaves as its reason: nothing, or the Responses API's word for "still at it".
_NOT_FINISHED = ("", "in_progress", "queued")


# What one holds besides bodies, measured with 10,000 at once (make bench).
FIXED_BYTES = 2048


class Exchange:
    """Collects one exchange.  Without a dialect bodies are counted and not kept."""

    __slots__ = (
        "_body",
        "_dialect",
        "_grpc_status",
        "_request_body",
        "_request_done",
        "_response",
        "_seen",
        "first_byte_at_ns",
        "first_token_at_ns",
        "inside",
        "lost_bytes",
        "provider",
        "request",
        "seen_bytes",
        "started_at_ns",
        "stream_id",
    )

    def __init__(
        self,
        request: RequestHead,
        *,
        dialect: type[Dialect] | None,
        provider: str,
        at_ns: int,
        tokenizer: Tokenizer | None = None,
    ) -> None:
        self.stream_id = request.stream_id
        self.provider = provider
        self.started_at_ns = at_ns
        self.first_byte_at_ns = 0
        self.first_token_at_ns = 0
        self.lost_bytes = 0
        self.seen_bytes = 0
        self.request = request
        self.inside = dialect is not None and may_be_inside(request.host)
        """It asks an AI inside the cluster: a model, or a gateway to one."""
        self._dialect = dialect(request, provider) if dialect else None
        self._seen = Seen(dialect.api, tokenizer) if dialect and tokenizer and countable(dialect.api) else None
        self._request_body = RequestBody(request.headers.get("content-encoding", "")) if dialect else None
        self._request_done = False
        self._response: ResponseHead | None = None
        self._body: ResponseBody | None = None
        self._grpc_status = ""
        """How a gRPC call went; "" where that was not said, or not seen."""

    @property
    def buffered_bytes(self) -> int:
        held = FIXED_BYTES + (self._seen.held_bytes if self._seen else 0)
        held += self._request_body.buffered_bytes if self._request_body else 0
        return held + (self._body.buffered_bytes if self._body else 0)

    def request_body(self, data: bytes) -> None:
        self.seen_bytes += len(data)
        if self._request_body is not None:
            self._request_body.receive(data)

    def request_lost(self, size: int) -> None:
        self.lost_bytes += size
        if self._request_body is not None:
            self._request_body.gap()

    def request_end(self, complete: bool) -> None:
        if self._request_done:
            return
        self._request_done = True
        if self._dialect is None or self._request_body is None:
            return
        body, whole = self._request_body.close()
        self._dialect.request_body(body, complete and whole)
        if self._seen is not None:
            self._seen.request(body, complete and whole)

    def response_head(self, head: ResponseHead, at_ns: int) -> None:
        head = with_grpc_status(head, head.headers)
        self._grpc_status = head.headers.get("grpc-status", "")
        self._response = head
        self.first_byte_at_ns = at_ns
        if self._dialect is not None:
            self._dialect.response_head(head)
            self._body = ResponseBody(
                head.headers.get("content-encoding", ""),
                arrays_are_streams=self._dialect.arrays_are_streams,
                lines_are_streams=self._dialect.lines_are_streams,
                content_type=head.headers.get("content-type", ""),
                message_encoding=head.headers.get("grpc-encoding", ""),
                guesses_messages=isinstance(self._dialect, ByBody),
            )

    def response_trailers(self, trailers: Mapping[str, str]) -> None:
        """gRPC says how it went when it is over."""
        if self._response is None or not trailers:
            return
        self._grpc_status = trailers.get("grpc-status", self._grpc_status)
        head = with_grpc_status(self._response, trailers)
        if head is not self._response:
            self._response = head
            if self._dialect is not None:
                self._dialect.response_head(head)

    def response_body(self, data: bytes, at_ns: int) -> None:
        self.seen_bytes += len(data)
        if self._body is None or self._dialect is None:
            return
        self._items(self._dialect, self._body.receive(data), at_ns)

    def _items(self, dialect: Dialect, items: Sequence[StreamItem], at_ns: int) -> None:
        if not items:
            return
        self.first_token_at_ns = self.first_token_at_ns or at_ns
        item = dialect.item
        for one in items:
            item(one)
        if self._seen is not None:
            self._seen.items(items)

    def response_lost(self, size: int) -> None:
        self.lost_bytes += size
        if self._body is not None:
            self._body.gap()

    def finish(
        self, conn: ConnId, cgroup_id: int, at_ns: int, complete: bool, *, refused: bool = False
    ) -> Call | Unsupported | None:
        """What came of it; None for an exchange that is nobody's business."""
        status = self._response.status if self._response else 0
        if self._dialect is None:
            return self._unsupported(conn, cgroup_id, status)
        complete = complete and self._went_well(self._dialect)
        api, reading = self._dialect.api, self._read(self._dialect, complete, at_ns, refused=refused)
        if isinstance(self._dialect, ByBody):
            api, self.provider = self._dialect.found, self._dialect.provider
            if not api:
                return self._unsupported(conn, cgroup_id, status)
        if not reading.recognised and self._response is not None:
            # Somebody else's, or (a handshake, a list of tools) served and nothing that anybody is billed for.
            idle = 200 <= status < 400 and reading.evidence is Evidence.NOT_APPLICABLE and not reading.error
            if self.provider == "unknown" or idle:
                return None
        headers = self._response.headers if self._response else {}
        if cached_by_gateway(headers):
            reading = without_usage(reading)
        return Call(
            conn=conn,
            stream_id=self.stream_id,
            cgroup_id=cgroup_id,
            provider=self.provider,
            api=api,
            host=self.request.host,
            status=status,
            outcome=outcome_of(status, reading, complete),
            request_id=request_id_of(headers),
            retry_count=_retries(self.request),
            started_at_ns=self.started_at_ns,
            first_byte_at_ns=self.first_byte_at_ns,
            first_token_at_ns=self.first_token_at_ns,
            ended_at_ns=at_ns,
            lost_bytes=self.lost_bytes,
            account=account_of(self.request, headers),
            passed_on=passed_on_of(headers),
            reading=reading,
        )

    def _unsupported(self, conn: ConnId, cgroup_id: int, status: int) -> Unsupported | None:
        if self.provider == "unknown":
            return None
        return Unsupported(
            conn=conn,
            stream_id=self.stream_id,
            cgroup_id=cgroup_id,
            provider=self.provider,
            host=self.request.host,
            path=self.request.path,
            status=status,
            reason="unknown_api",
        )

    def _went_well(self, dialect: Dialect) -> bool:
        """
        HTTP's framing also ends where a gRPC call fails half way.  Whose end was not seen (its name was said before we came) is whole if
        the one answer came, or a stream's own end.
        """
        body = self._body
        asked = isinstance(dialect, ByBody) and dialect.asked_in_messages
        if body is None or not (asked or body.is_grpc) or self._grpc_status:
            return self._grpc_status in ("", "0")
        reading = dialect.reading(complete=False, streaming=True)
        return bool(self.first_token_at_ns) and (bool(reading.finish_reason) or not reading.streaming)

    def _read(self, dialect: Dialect, complete: bool, at_ns: int, *, refused: bool) -> Reading:
        self.request_end(complete=False)  # an answer can come before the request is all sent
        body, document = self._body, b""
        streaming = False
        if body is not None:
            self._items(dialect, body.close(), at_ns)
            streaming = body.kind in STREAMS
            complete = complete and not (body.lost or body.broken or body.document.cut)
            if not streaming:
                document = body.document.take()
                dialect.document(document, complete)
        reading = dialect.reading(complete=complete, streaming=streaming)
        if self._seen is not None and self._response is not None:
            ended = complete or (streaming and bool(reading.finish_reason) and not self.lost_bytes)
            return self._seen.estimated(reading, complete=ended, document=document)
        if self._response is None and refused:
            return replace(reading, evidence=Evidence.NOT_APPLICABLE)
        if self._response is None and reading.evidence is Evidence.NOT_APPLICABLE:
            # The request went out and no answer was seen: what it cost is not known, which is not "nothing".
            return replace(reading, evidence=Evidence.ABSENT)
        return reading


def with_grpc_status(head: ResponseHead, stated: Mapping[str, str]) -> ResponseHead:
    """The head with the HTTP status that a call's ``grpc-status`` means, where it failed."""
    meant = _HTTP_STATUS_OF_GRPC.get(stated.get("grpc-status", ""))
    return head if meant is None or head.status >= 400 else replace(head, status=meant)


def outcome_of(status: int, reading: Reading, complete: bool) -> Outcome:
    if status == 429:
        return Outcome.RATE_LIMITED
    if status >= 500:
        return Outcome.SERVER_ERROR
    if status >= 400:
        return Outcome.CLIENT_ERROR
    if reading.error:
        return Outcome.RATE_LIMITED if "rate_limit" in reading.error else Outcome.SERVER_ERROR
    # OpenAI's synchronous SDK hangs up after [DONE], before the chunked framing ends: it has had the whole answer.
    ended = complete or (reading.streaming and reading.finish_reason not in _NOT_FINISHED)
    return Outcome.OK if ended and status else Outcome.CUT


def _retries(request: RequestHead) -> int:
    """The SDK's own count: OpenAI's and Anthropic's from 0, AWS's from 1 (``attempt=2; max=3``)."""
    attempt = request.headers.get("amz-sdk-request", "").partition("attempt=")[2].partition(";")[0].strip()
    if attempt:
        return max(_small_number(attempt) - 1, 0)
    return _small_number(request.headers.get("x-stainless-retry-count", ""))


def _small_number(text: str) -> int:
    """A header that counts retries; anything else is 0."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
