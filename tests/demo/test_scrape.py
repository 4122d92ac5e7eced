"""How the demo reads the agent's page."""

from decimal import Decimal

from agent.demo.agreement import COST, OUTCOME, TOKENS, WITHOUT_PRICE, WITHOUT_USAGE
from agent.demo.pods import CAST
from agent.demo.scrape import get, read

POD = CAST[0]
KIND, _, NAME = POD.workload.partition("/")
LABELS = (
    f'namespace="{POD.namespace}",workload_kind="{KIND}",workload="{NAME}",pod="{POD.name}",provider="openai",'
    f'model="m",operation="chat",team="{POD.team}",feature="{POD.feature}",environment="{POD.environment}"'
)
PAGE = f"""
# TYPE podtab_calls counter
podtab_calls_total{{{LABELS},outcome="ok",evidence="reported"}} 3.0
podtab_calls_total{{{LABELS},outcome="ok",evidence="absent"}} 1.0
podtab_calls_total{{{LABELS},outcome="ok",evidence="estimated"}} 5.0
podtab_calls_total{{{LABELS},outcome="rate_limited",evidence="not_applicable"}} 2.0
podtab_calls_created{{{LABELS},outcome="ok",evidence="reported"}} 1.7e9
# TYPE podtab_tokens counter
podtab_tokens_total{{{LABELS},type="input"}} 70.0
podtab_tokens_total{{{LABELS},type="surprise"}} 1.0
podtab_tokens_total{{{LABELS},evidence="estimated",type="input"}} 1000.0
# TYPE podtab_cost_usd counter
podtab_cost_usd_total{{{LABELS},evidence="reported"}} 0.1
podtab_cost_usd_total{{{LABELS},evidence="partial"}} 0.2
podtab_cost_usd_total{{{LABELS},evidence="estimated"}} 9.0
# TYPE podtab_unpriced_calls counter
podtab_unpriced_calls_total{{{LABELS},reason="unknown_model"}} 1.0
podtab_unpriced_calls_total{{{LABELS},reason="no_usage"}} 1.0
podtab_unpriced_calls_total{{{LABELS},reason="not_billed"}} 2.0
# TYPE podtab_connections gauge
podtab_connections 4.0
"""


def test_series_are_summed_per_pod() -> None:
    """Over every other label; a token type that nobody knows stays visible as a figure of its own; what podtab counted itself is a call without usage."""
    captured = read(PAGE, CAST)
    assert captured.figures == {
        POD.name: {
            OUTCOME + "ok": 9,
            OUTCOME + "rate_limited": 2,
            WITHOUT_USAGE: 6,
            WITHOUT_PRICE: 1,
            TOKENS + "input": 70,
            TOKENS + "surprise": 1,
            COST: Decimal("0.3"),
        }
    }
    assert captured.misnamed == ()
    assert captured.elsewhere == {}


def test_wrong_labels_are_named_once() -> None:
    """However many series carry them."""
    wrong = read(PAGE.replace(f'team="{POD.team}"', 'team="nobody"'), CAST).misnamed
    assert [(one.figure, one.served, one.captured) for one in wrong] == [("label team", POD.team, "nobody")]


def test_calls_of_others_are_told_apart() -> None:
    """Somebody else on the machine may use AI too; it is said, but not compared."""
    captured = read(PAGE.replace(f'pod="{POD.name}"', 'pod=""'), CAST)
    assert captured.figures == {}
    assert captured.elsewhere == {POD.workload: 11}


def test_nobody_there_is_no_page() -> None:
    """The demo asks before the agent listens."""
    assert get("127.0.0.1", 1, "/readyz") == (0, "")
