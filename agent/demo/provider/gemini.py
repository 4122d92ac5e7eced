"""
The fake's Gemini: ``generateContent`` and ``streamGenerateContent``, as server-sent events or as one growing JSON array.

Reference: https://ai.google.dev/api/generate-content
Thoughts stand beside the candidates' count, cached tokens inside the prompt's; every chunk of a stream repeats the usage.
"""

from __future__ import annotations

from typing import Any

from agent.demo.books import Served, Tokens, cost_usd
from agent.demo.provider.exchange import Answer, Draw, Request, dump, event


def generate(request: Request, draw: Draw) -> Answer:
    model, _, operation = request.path.rpartition("/")[2].partition(":")
    streaming = operation == "streamGenerateContent"
    tokens = draw.tokens(reasoning=True)
    served = Served(
        client=request.client,
        provider="gcp.gemini",
        api=f"gemini/{operation}",
        model=model,
        status=200,
        streaming=streaming,
        tokens=tokens,
        cost_usd=cost_usd(model, tokens),
    )
    identity = draw.identity("")
    words = draw.words(tokens.output)
    headers = {"x-gemini-service-tier": "standard", "server-timing": f"gfet4t7; dur={draw.between(100, 900)}"}

    def chunk(text: str, counts: dict[str, Any], finish: str = "") -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        return {"candidates": [candidate], "usageMetadata": counts, "modelVersion": model, "responseId": identity}

    if not streaming:
        return Answer(
            media_type="application/json; charset=UTF-8",
            headers=headers,
            pieces=[dump(chunk("".join(words), usage(tokens), "STOP"))],
            served=served,
        )
    groups = ["".join(words[at : at + 7]) for at in range(0, len(words), 7)]
    chunks = [
        # The first chunk's count is an estimate; only the last one holds.
        chunk(text, usage(tokens, prompt=tokens.all_input + (7 if number == 0 else 0), output=(number + 1) * 7))
        for number, text in enumerate(groups[:-1])
    ]
    chunks.append(chunk(groups[-1], usage(tokens), "STOP"))
    if "alt=sse" in request.query.split("&"):
        pieces = [event(body, end="\r\n") for body in chunks]
        return Answer(media_type="text/event-stream", headers=headers, pieces=pieces, served=served)
    pieces = [(b"[" if number == 0 else b",\r\n") + dump(body) for number, body in enumerate(chunks)]
    return Answer(media_type="application/json", headers=headers, pieces=[*pieces, b"]"], served=served)


def usage(tokens: Tokens, *, prompt: int | None = None, output: int | None = None) -> dict[str, Any]:
    prompt = tokens.all_input if prompt is None else prompt
    output = tokens.output if output is None else output
    counts: dict[str, Any] = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": output,
        "totalTokenCount": prompt + output + tokens.reasoning,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}],
    }
    if tokens.reasoning:
        counts["thoughtsTokenCount"] = tokens.reasoning
    if tokens.cache_read:
        counts["cachedContentTokenCount"] = tokens.cache_read
        counts["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": tokens.cache_read}]
    return counts
