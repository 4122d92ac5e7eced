"""The JSON under /api/v1/, asked over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson
import pytest

from agent.model import Account, CoverageReason
from agent.sinks.web.api import amount, moment
from tests.pricing.calls import at_ns, call
from tests.sinks.entries import USAGE, entry
from tests.sinks.web.sites import DOCTOR, Made, covered, serving

HOSTILE = "<img src=x onerror=alert(1)>\n\x1b[31m\ud800" + "x" * 500


@pytest.fixture
def made() -> Iterator[Made]:
    with serving(Made()) as one:
        yield one


def test_a_node_without_calls(made: Made) -> None:
    """Nothing seen yet is an empty list and a 0 that is true; everything else is there from the start."""
    assert made.json("/api/v1/summary") == {
        "node": "node-1",
        "cluster": "prod",
        "version": "1.2.3",
        "price_book": "2026-11",
        "started_at": "2001-09-09T01:46:40.000Z",
        "capture": {
            "in_force": True,
            "reason": "",
            "link_kind": "uprobe_multi",
            "libraries": {"probed": 3, "failed": 1},
            "sites": {"emulated": 18, "single_stepped": 2},
        },
        "totals": {"cost_usd": "0", "calls": 0, "tokens": 0, "unpriced_calls": 0},
        "workloads": [],
    }
    assert made.json("/api/v1/calls") == {"calls": []}
    assert made.json("/api/v1/coverage") == {"pods": []}


def test_the_summary_adds_up_by_pod(made: Made) -> None:
    """Exact decimals as texts, dearest first, and the total is the sum."""
    for pod in ("web-1", "web-2", "web-2"):
        made.site.accept(entry(pod))
    answer: Any = made.json("/api/v1/summary")
    assert answer["totals"] == {"cost_usd": "0.00072", "calls": 3, "tokens": 3600, "unpriced_calls": 0}
    assert [row["pod"] for row in answer["workloads"]] == ["web-2", "web-1"]
    assert answer["workloads"][0] == {
        "namespace": "shop",
        "workload_kind": "Deployment",
        "workload": "web",
        "pod": "web-2",
        "team": "a-team",
        "calls": 2,
        "cost_usd": "0.00048",
        "tokens": {"input": 1200, "cache_read": 800, "output": 300, "reasoning": 100},
        "unpriced_calls": 0,
        "errors": 0,
        "last_call_at": "2026-11-20T00:00:00.000Z",
    }
    made.site.forget_pod("shop", "web-2")
    assert [row["pod"] for row in made.json("/api/v1/summary")["workloads"]] == ["web-1"]  # type: ignore[attr-defined]


def test_capture_that_is_not_in_force_says_why(made: Made) -> None:
    """The page's banner and the plugin read it here."""
    made.capture = replace(made.capture, reason="capture is not in force: needs CAP_BPF")
    capture: Any = made.json("/api/v1/summary")["capture"]
    assert (capture["in_force"], capture["reason"]) == (False, "capture is not in force: needs CAP_BPF")


def test_a_call_has_everything_but_content(made: Made) -> None:
    """Exactly these fields: no host, no prompt, no answer, no key."""
    one = call(usage=USAGE, requested="gpt-4o-mini")
    one = replace(
        one,
        first_token_at_ns=one.started_at_ns + 25 * 10**7,
        request_id="req_1",
        retry_count=1,
        lost_bytes=3,
        account=Account(organization="acme"),
        reading=replace(one.reading, streaming=True, tool_calls=("look_up", "order")),
    )
    made.site.accept(entry(one=one, container="app"))
    assert made.json("/api/v1/calls") == {
        "calls": [
            {
                "at": "2026-11-20T00:00:00.000Z",
                "namespace": "shop",
                "workload_kind": "Deployment",
                "workload": "web",
                "pod": "web-1",
                "container": "app",
                "provider": "openai",
                "api": "openai/chat",
                "operation": "chat",
                "requested_model": "gpt-4o-mini",
                "served_model": "gpt-4o-mini-2024-07-18",
                "streaming": True,
                "status": 200,
                "outcome": "ok",
                "evidence": "reported",
                "estimate": None,
                "tokens": {"input": 600, "cache_read": 400, "output": 150, "reasoning": 50},
                "cost_usd": "0.00024",
                "duration_seconds": 1.0,
                "time_to_first_token_seconds": 0.25,
                "tool_calls": ["look_up", "order"],
                "retry_count": 1,
                "request_id": "req_1",
                "account": {"key_hash": "", "organization": "acme", "project": "", "workspace": ""},
                "lost_bytes": 3,
            }
        ]
    }


def test_what_is_not_known_is_not_0(made: Made) -> None:
    """A call without a price says why instead of a cost; one that did not stream has no first token."""
    made.site.accept(entry(one=call(served="house-model")))
    (one,) = made.json("/api/v1/calls")["calls"]  # type: ignore[attr-defined]
    assert one["unpriced"] == "unknown_model"
    assert "cost_usd" not in one
    assert one["time_to_first_token_seconds"] is None


def test_calls_are_filtered_and_limited(made: Made) -> None:
    """By namespace, by pod, newest first."""
    for number in range(150):
        made.site.accept(entry(f"web-{number % 3}", namespace="shop" if number % 2 else "bank"))
    ask: Any = made.json
    assert len(ask("/api/v1/calls")["calls"]) == 100
    assert len(ask("/api/v1/calls?limit=1000")["calls"]) == 150
    assert [one["pod"] for one in ask("/api/v1/calls?limit=2")["calls"]] == ["web-2", "web-1"]
    some = ask("/api/v1/calls?namespace=bank&pod=web-0")["calls"]
    assert {(one["namespace"], one["pod"]) for one in some} == {("bank", "web-0")}
    assert len(some) == 25
    assert ask("/api/v1/calls?namespace=")["calls"] == []


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("calls?limit=0", "limit must be a whole number from 1 to 1000"),
        ("calls?limit=1001", "limit must"),
        ("calls?limit=-1", "limit must"),
        ("calls?limit=", "limit must"),
        ("calls?limit=%D9%A1", "limit must"),
        ("calls?limit=" + "9" * 5000, "limit must"),
        ("calls?podd=web", "unknown parameter podd; known: namespace, pod, limit"),
        ("summary?x=1", "unknown parameter x; known: none"),
        ("coverage?x=1", "unknown parameter"),
        ("doctor?x=1", "unknown parameter"),
    ],
)
def test_bad_questions_are_refused_with_a_sentence(made: Made, path: str, sentence: str) -> None:
    """A misspelt filter must not look like an answer to what was asked."""
    status, headers, body = made.get(f"/api/v1/{path}")
    assert (status, headers["Content-Type"]) == (400, "application/json")
    assert orjson.loads(body)["error"].startswith(sentence)


def test_what_pods_choose_is_bounded_and_printable(made: Made) -> None:
    """Also half a surrogate pair, which is no JSON; it stays text: whoever shows it escapes it."""
    one = call(served=HOSTILE, requested=HOSTILE)
    one = replace(one, request_id=HOSTILE, reading=replace(one.reading, tool_calls=(HOSTILE,) * 1000))
    made.site.accept(entry(one=one, name=HOSTILE, team=HOSTILE, container=HOSTILE))
    made.covered = [covered(name=HOSTILE, library=HOSTILE, detail=HOSTILE * 9)]
    (shown,) = made.json("/api/v1/calls")["calls"]  # type: ignore[attr-defined]
    for text in (shown["served_model"], shown["request_id"], shown["workload"], shown["tool_calls"][0]):
        assert text.isprintable()
        assert len(text) == 128
    assert len(shown["tool_calls"]) == 32
    (row,) = made.json("/api/v1/summary")["workloads"]  # type: ignore[attr-defined]
    assert row["team"].startswith("<img")
    assert row["team"].isprintable()
    (pod,) = made.json("/api/v1/coverage")["pods"]  # type: ignore[attr-defined]
    assert pod["processes"][0]["detail"].isprintable()
    assert len(pod["processes"][0]["detail"]) <= 1024


def test_coverage_is_by_pod(made: Made) -> None:
    """Each process with its reason, what it means and what to do; an unknown library is null."""
    made.covered = [
        covered(7),
        covered(8, CoverageReason.CANNOT_DECRYPT, detail="no function found", remedy="report it", library=""),
    ]
    assert made.json("/api/v1/coverage") == {
        "pods": [
            {
                "namespace": "shop",
                "workload_kind": "Deployment",
                "workload": "web",
                "pod": "web-1",
                "processes": [
                    {
                        "pid": 7,
                        "name": "python3",
                        "reason": "readable",
                        "library": "/usr/lib/libssl.so.3",
                        "detail": "",
                        "remedy": "",
                    },
                    {
                        "pid": 8,
                        "name": "python3",
                        "reason": "cannot_decrypt",
                        "library": None,
                        "detail": "no function found",
                        "remedy": "report it",
                    },
                ],
                "connections": [],
            }
        ]
    }


def test_connections_are_told_also_of_pods_without_a_process_that_is_known(made: Made) -> None:
    """That is what they are for: libraries that nobody knows."""
    made.covered = [covered(7)]
    counts = {"read": 118, "not_read": 2, "unknown": 0, "read_late": 1}
    made.connections = {(("shop", "Pod", "odd", "odd"), "openai"): counts}
    told = made.json("/api/v1/coverage")["pods"]
    assert isinstance(told, list)
    assert [(pod["pod"], len(pod["processes"]), pod["connections"]) for pod in told] == [
        ("web-1", 1, []),
        ("odd", 0, [{"provider": "openai", **counts}]),
    ]


def test_the_doctor_is_the_commands_json(made: Made) -> None:
    """Byte by byte."""
    assert made.get("/api/v1/doctor")[2] == DOCTOR.encode()


def test_moments_and_amounts_are_texts_that_every_language_reads() -> None:
    """RFC 3339 in UTC; no exponents."""
    assert moment(at_ns("2026-11-20") + 999_999_999) == "2026-11-20T00:00:00.999Z"
    assert amount(Decimal("1E-8")) == "0.00000001"
    assert amount(Decimal("0E-9")) == "0.000000000"
    assert amount(Decimal("12.50")) == "12.50"
