"""What the demo prints."""

import io
import json
from decimal import Decimal

from rich.console import Console

from agent.demo.agreement import COST, OUTCOME, TOKENS, WITHOUT_USAGE, compare
from agent.demo.pods import CAST
from agent.demo.report import as_json, show

PODS = CAST[:2]
FIGURES = {
    OUTCOME + "ok": Decimal(3),
    WITHOUT_USAGE: Decimal(1),
    TOKENS + "input": Decimal(70),
    TOKENS + "cache_read": Decimal(30),
    TOKENS + "output": Decimal(5),
    COST: Decimal("0.00012"),
}
EQUAL = compare([pod.name for pod in PODS], {pod.name: FIGURES for pod in PODS}, {pod.name: FIGURES for pod in PODS})
BLIND = compare([pod.name for pod in PODS], {pod.name: FIGURES for pod in PODS}, {PODS[0].name: FIGURES})


def printed(agreement: object = EQUAL) -> str:
    out = io.StringIO()
    show(EQUAL if agreement is EQUAL else BLIND, PODS, {"Process/curl": Decimal(2)}, Console(file=out, width=160))
    return out.getvalue()


def test_json_says_agreement_and_both_sides() -> None:
    """The keys that scripts rely on."""
    document = json.loads(as_json(EQUAL, PODS, {}, 12.34))
    assert document["agreement"] == 1.0
    assert document["calls"] == {"served": 6, "captured": 6}
    assert document["cost_usd"] == {"served": 0.00024, "captured": 0.00024}
    assert document["tokens"]["captured"] == 210
    assert [row["pod"] for row in document["pods"]] == [pod.name for pod in PODS]
    assert document["differences"] == []


def test_a_blind_agent_is_not_painted_over() -> None:
    """Missing figures are absent, in the table and in JSON, and every difference is named."""
    document = json.loads(as_json(BLIND, PODS, {}, 1.0))
    assert document["agreement"] == 0.5
    assert document["pods"][1]["captured"] == {}
    assert {one["captured"] for one in document["differences"]} == {"absent"}
    text = printed(BLIND)
    assert "absent" in text
    assert f"differs: {PODS[1].name}: {COST}: served 0.00012, captured absent" in text
    assert "50.00%" in text


def test_the_table_shows_cost_per_pod_and_what_nobody_knows() -> None:
    """Calls without usage are said in words, beside the sums."""
    text = printed()
    assert PODS[0].name in text
    assert "0.000120" in text
    assert "did not say what they used" in text
    assert "Not of the demo: 2 calls of Process/curl." in text
    assert "100.00%" in text
