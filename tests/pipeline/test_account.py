"""Whose account is billed, and that no key comes out anywhere."""

from __future__ import annotations

import dataclasses
import json

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from agent.dialects import DIALECTS
from agent.dialects.providers import Providers
from agent.model import Account, LedgerEntry, PricedCall, RequestHead
from agent.pipeline.account import account_of
from agent.pipeline.pipeline import Pipeline
from agent.protocol.headers import key_hasher
from agent.replay import Result, to_json
from agent.sinks.otlp.spans import Naming, span_of
from agent.sinks.prometheus import PrometheusSink
from agent.sinks.web.api import _call
from tests.exchanges import Wire, request, response
from tests.sinks.entries import PRICER, WEB

HASH = key_hasher(b"sixteen bytes of salt")
SECRET = "sk-proj-Zq7Jt2VbN4xWm9Kd"


def head(path: str = "/v1/chat/completions", **headers: str) -> RequestHead:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return RequestHead(stream_id=1, method="POST", target=path, headers=named, key_hash="00ff")


@pytest.mark.parametrize(
    ("asked", "answered", "account"),
    [
        (
            head(openai_organization="org-asked", openai_project="proj_1"),
            {"openai-organization": "acme-served"},
            Account(organization="acme-served", project="proj_1"),
        ),
        (
            head("/v1/messages"),
            {"anthropic-organization-id": "0a-1", "anthropic-workspace-id": "wrk_1"},
            Account(organization="0a-1", workspace="wrk_1"),
        ),
        (
            head("/v1/projects/shop-prod/locations/eu/publishers/google/models/g:generateContent"),
            {},
            Account(project="shop-prod"),
        ),
        (
            head("/v1beta/models/g:generateContent", x_goog_user_project="bills-here"),
            {},
            Account(project="bills-here"),
        ),
        (
            head(
                "/google.cloud.aiplatform.v1.PredictionService/X",
                x_goog_request_params="model=projects%2Fp1%2Flocations%2Feu",
            ),
            {},
            Account(project="p1"),
        ),
        (
            head("/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Aapplication-inference-profile%2Fx/converse"),
            {},
            Account(organization="123456789012"),
        ),
        (head("/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A%3Afoundation-model%2Fx/converse"), {}, Account()),
        # Free text, and what is too long to be an id.
        (head(openai_organization="no id, a sentence", openai_project="p" * 129), {}, Account()),
    ],
)
def test_accounts(asked: RequestHead, answered: dict[str, str], account: Account) -> None:
    """Each provider's own place; the answer before the request; nothing that is not an id."""
    assert account_of(asked, answered) == dataclasses.replace(account, key_hash="00ff")


@pytest.mark.parametrize("hashing", [True, False], ids=["hashed", "not hashed"])
@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("/v1/chat/completions", f"Authorization: Bearer {SECRET}\r\n"),
        ("/v1/chat/completions", f"Authorization: Basic {SECRET}\r\n"),
        ("/v1/chat/completions", f"X-API-Key: {SECRET}\r\n"),
        ("/v1/chat/completions", f"Ocp-Apim-Subscription-Key: {SECRET}\r\n"),
        (f"/v1/chat/completions?key={SECRET}", ""),
        (f"/v1/files?api_key={SECRET}", f"Cookie: {SECRET}\r\n"),
    ],
)
def test_no_key_comes_out_anywhere(path: str, header: str, *, hashing: bool) -> None:
    """Not in what the core gives, its repr, the replay's JSON, spans, metrics or the page: whole or in a piece of eight letters."""
    core = Pipeline(
        dialects=DIALECTS,
        provider_of=Providers().provider_of,
        price=PRICER.price,
        hash_key=HASH if hashing else None,
    )
    wire = Wire(core).send(request(path, headers=header)).receive(response()).close()
    registry = CollectorRegistry()
    sink = PrometheusSink(registry, max_models=5, max_pods=5, max_workloads=5)
    told = [repr(wire.outputs)]
    for output in wire.outputs:
        told.append(to_json(Result(id="x", output=output)).decode())
        if isinstance(output, PricedCall):
            entry = LedgerEntry(call=output.call, cost=output.cost, workload=WEB)
            sink.accept(entry)
            told += [repr(span_of(entry, Naming())), json.dumps(_call(entry))]
            assert output.call.account.key_hash == (HASH(SECRET.encode()) if hashing else "")
    told.append(generate_latest(registry).decode())
    pieces = {SECRET[at : at + 8] for at in range(len(SECRET) - 7)}
    assert not [piece for piece in pieces for text in told if piece in text]
    assert HASH(SECRET.encode()) not in told[-1], "a key is no metric label"


def test_half_a_head_shows_no_key() -> None:
    """A head that is not one costs its connection, and the reason quotes nothing of it."""
    wire = Wire(Pipeline(dialects=DIALECTS, provider_of=Providers().provider_of, price=PRICER.price, hash_key=HASH))
    wire.send(
        f"POST /v1/chat/completions HTTP/1.1\r\nAuthorization: Bearer {SECRET}\x00\r\nbad\r\n\r\n".encode()
    ).close()
    assert wire.outputs
    assert SECRET not in repr(wire.outputs)
