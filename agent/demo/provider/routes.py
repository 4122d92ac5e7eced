"""Which answer a request gets; among them the refusals that make the SDKs retry."""

from __future__ import annotations

from collections import Counter

from agent.demo.provider import anthropic, bedrock, gemini, openai
from agent.demo.provider.exchange import Answer, Draw, Request

# Clients whose every third first attempt is refused, in turn with 429 and 500: the SDK retries, and the retry is served.
TROUBLED = "troubled"


class Routes:
    """One per server: it remembers how often each client called."""

    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()
        self._first_attempts: Counter[str] = Counter()

    def answer(self, request: Request) -> tuple[Answer, int]:
        """The answer, and which of this client's it is, from 1."""
        client = request.client
        self._asked[client] += 1
        ordinal = self._asked[client]
        draw = Draw.of(client, ordinal)
        return self._choose(request, draw, self._refusal(request)), ordinal

    def _refusal(self, request: Request) -> int:
        if TROUBLED not in request.client or request.is_retry:
            return 0
        self._first_attempts[request.client] += 1
        count = self._first_attempts[request.client]
        if count % 3:
            return 0
        return 429 if count % 2 else 500

    def _choose(self, request: Request, draw: Draw, refusal: int) -> Answer:
        path = request.path
        if request.method != "POST":
            return openai.error(request, draw, status=404, api="")
        if path.endswith("/chat/completions"):
            if refusal:
                return openai.error(request, draw, status=refusal, api="openai/chat")
            return openai.chat(request, draw)
        if path.endswith("/responses"):
            return openai.responses(request, draw)
        if path.endswith("/embeddings"):
            return openai.embeddings(request, draw)
        if path == "/v1/messages":
            if refusal:
                return anthropic.error(request, draw, status=refusal)
            return anthropic.messages(request, draw)
        if path.endswith((":generateContent", ":streamGenerateContent")):
            return gemini.generate(request, draw)
        if path.startswith("/model/") and path.endswith(("/converse", "/converse-stream")):
            return bedrock.converse(request, draw)
        return openai.error(request, draw, status=404, api="")
