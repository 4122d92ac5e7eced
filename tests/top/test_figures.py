"""Figures per pod from pages that the sink itself made."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from agent.top.figures import By, PageError, Pod, merge, rates, read, total, total_rate
from tests.top.pages import BROKEN, CHECKOUT, CRON, VLLM, Agent

CHECKOUT_KEY = ("shop", "checkout-1", "Deployment/checkout")
VLLM_KEY = ("ml", "vllm-client-0", "StatefulSet/vllm-client")


def test_a_pods_figures() -> None:
    """Calls, tokens that add up, cost, errors, evidence: summed over models, evidence and outcome."""
    agent = Agent()
    agent.priced(CHECKOUT, 3)
    agent.cut(CHECKOUT)
    pod = read(agent.page, 0).pods[CHECKOUT_KEY]
    assert (pod.namespace, pod.name, pod.workload) == CHECKOUT_KEY
    assert (pod.calls, pod.errors) == (4, 1)
    assert (pod.input_tokens, pod.cached_tokens, pod.output_tokens) == (1800, 1200, 600)
    assert pod.cost_usd == pytest.approx(0.00072)
    assert pod.unpriced == {"no_usage": 1}
    assert pod.evidence_share == 0.75


def test_what_is_not_known_is_not_zero() -> None:
    """Calls without a price have no cost; errors cost nothing, and evidence of them is not due."""
    agent = Agent()
    agent.unpriced(VLLM)
    agent.refused(BROKEN)
    pods = read(agent.page, 0).pods
    assert pods[VLLM_KEY].cost_usd is None
    assert pods[VLLM_KEY].unpriced == {"unknown_provider": 1}
    broken = pods["shop", "nokey", "Pod/nokey"]
    assert (broken.cost_usd, broken.unpriced, broken.evidence_share, broken.errors) == (0.0, {}, None, 1)


def test_what_is_not_a_pod_has_its_workloads_name() -> None:
    """On a machine without Kubernetes."""
    agent = Agent()
    agent.priced(CRON)
    (pod,) = read(agent.page, 0).pods.values()
    assert (pod.namespace, pod.name, pod.workload) == ("", "cron.service", "SystemdUnit/cron.service")


def test_losses_and_the_watch() -> None:
    """Bytes that were lost count, those ignored on purpose do not; no API server is not one that fails."""
    agent = Agent()
    agent.lost = 17
    assert (read(agent.page, 0).lost_bytes, read(agent.page, 0).api_server) == (17, None)
    agent.api_server = 0.0
    assert read(agent.page, 0).api_server is False


def test_rates_are_per_time() -> None:
    """Three calls in half a minute are six a minute; a pod that is new began at 0; without a price the rate is not known."""
    agent = Agent()
    agent.priced(CHECKOUT, 5)
    before = read(agent.page, 100)
    agent.priced(CHECKOUT, 3)
    agent.unpriced(VLLM, 2)
    found = rates(before, read(agent.page, 130))
    assert found[CHECKOUT_KEY].calls_per_minute == 6
    assert found[CHECKOUT_KEY].usd_per_hour == pytest.approx(3 * 0.00024 * 120)
    assert (found[VLLM_KEY].calls_per_minute, found[VLLM_KEY].usd_per_hour) == (4, None)
    whole = total_rate(list(found.values()))
    assert whole is not None
    assert whole.calls_per_minute == 10
    assert whole.usd_per_hour == pytest.approx(3 * 0.00024 * 120)


def test_no_rates_across_a_restart() -> None:
    """Counters that fell are another agent's; nor is there a rate within one moment."""
    old, new = Agent(), Agent()
    old.priced(CHECKOUT, 5)
    new.priced(CHECKOUT, 2)
    assert rates(read(old.page, 100), read(new.page, 130)) == {}
    assert rates(read(old.page, 100), read(old.page, 100)) == {}
    assert total_rate([]) is None


def test_the_median_is_interpolated() -> None:
    """As histogram_quantile does: calls of one second lie in the bucket from 0.64 to 1.28."""
    agent = Agent()
    agent.priced(CHECKOUT, 4)
    assert read(agent.page, 0).pods[CHECKOUT_KEY].p50_seconds == pytest.approx(0.96)
    slow = Pod(namespace="", name="", workload="", durations={1.0: 1, math.inf: 4})
    assert slow.p50_seconds == math.inf
    assert Pod(namespace="", name="", workload="").p50_seconds is None


def test_sums_know_what_is_unknown() -> None:
    """The total of a priced and an unpriced pod is a lower bound, and says so."""
    agent = Agent()
    agent.priced(CHECKOUT, 2)
    agent.unpriced(VLLM, 3)
    whole = total(read(agent.page, 0).pods.values())
    assert (whole.calls, whole.unpriced_calls) == (5, 3)
    assert whole.cost_usd == pytest.approx(0.00048)
    assert whole.p50_seconds == pytest.approx(0.96)


@pytest.mark.parametrize(
    ("page", "why"),
    [
        ("<html><body>Welcome to nginx!</body></html>\n", "not a page of metrics"),
        ("{}\n", "not a page of metrics"),
        ("", "not podtab's"),
        ("# TYPE go_goroutines gauge\ngo_goroutines 7\n", "not podtab's"),
    ],
)
def test_other_pages_are_refused(page: str, why: str) -> None:
    """In words that say what it is instead; never a trace back."""
    with pytest.raises(PageError, match=why):
        read(page, 0)


def test_hostile_labels_and_numbers() -> None:
    """Names become printable, numbers that are none are left out."""
    page = (
        "# TYPE podtab_calls_total counter\n"
        'podtab_calls_total{namespace="a\\nb",pod="\u202ex\x1b[2J",workload="w",workload_kind="K",outcome="ok"} 1\n'
        'podtab_calls_total{namespace="n",pod="p",workload="w",workload_kind="K",outcome="ok"} NaN\n'
        "podtab_calls_total 5\n"
    )
    (pod,) = read(page, 0).pods.values()
    assert (pod.namespace, pod.name) == ("a?b", "?x?[2J")


def test_by_something_else() -> None:
    """The same calls under another name: sums never change, and a row spans what its name does not tell."""
    agent = Agent()
    agent.priced(replace(CHECKOUT, team="payments"), 3)
    agent.priced(replace(CHECKOUT, pod="checkout-2"), 2)
    agent.unpriced(VLLM, 1)
    by_pod = total(read(agent.page, 0).pods.values())
    names = {
        By.WORKLOAD: {("shop", "checkout", "Deployment/checkout"), ("ml", "vllm-client", "StatefulSet/vllm-client")},
        By.NAMESPACE: {("", "shop", ""), ("", "ml", "")},
        By.TEAM: {("", "payments", ""), ("", "", "")},
        By.MODEL: {("", "openai/gpt-4o-mini-2024-07-18", ""), ("", "unknown/house-llama", "")},
    }
    for by, keys in names.items():
        found = read(agent.page, 0, by=by)
        whole = total(found.pods.values())
        assert set(found.pods) == keys
        assert (whole.calls, whole.input_tokens, whole.output_tokens) == (6, by_pod.input_tokens, by_pod.output_tokens)
        assert whole.cost_usd == pytest.approx(5 * 0.00024)
    assert read(agent.page, 0, by=By.TEAM).pods["", "payments", ""].calls == 3
    # Durations have no team: not known, and not those of other teams.
    assert read(agent.page, 0, by=By.TEAM).pods["", "payments", ""].p50_seconds is None
    assert read(agent.page, 0, by=By.MODEL).pods["", "openai/gpt-4o-mini-2024-07-18", ""].p50_seconds == pytest.approx(
        0.96
    )


@pytest.mark.parametrize("namespace", ["shop", "ml", "sho", 'a"b', "nobody"])
def test_one_namespace(namespace: str) -> None:
    """Only its pods, however odd its name is; a name that begins or sounds alike is another."""
    agent = Agent()
    for name in ("shop", "shop-2", "ml", 'a"b', "x"):
        agent.priced(replace(CHECKOUT, namespace=name, pod='namespace="shop"'))
    wanted = [namespace] if namespace in ("shop", "ml", 'a"b') else []
    assert [pod.namespace for pod in read(agent.page, 0, namespace=namespace).pods.values()] == wanted


def test_several_agents_are_one() -> None:
    """Rows of the same name add up, others stay; what only one knows is its own; one that lost its watch is enough to say so."""
    here, there = Agent(), Agent()
    here.priced(CHECKOUT, 2)
    there.priced(replace(CHECKOUT, pod="checkout-2"), 3)
    there.unpriced(VLLM, 1)
    there.lost, here.api_server, there.api_server = 17, 1.0, 0.0
    both = merge([read(page, 0, by=By.WORKLOAD) for page in (here.page, there.page)])
    checkout = both.pods["shop", "checkout", "Deployment/checkout"]
    assert (checkout.calls, checkout.cost_usd) == (5, pytest.approx(5 * 0.00024))
    assert checkout.p50_seconds == pytest.approx(0.96)
    assert both.pods["ml", "vllm-client", "StatefulSet/vllm-client"].cost_usd is None
    assert (both.lost_bytes, both.api_server) == (17, False)
    assert (merge([]).pods, merge([]).lost_bytes, merge([]).api_server) == ({}, None, None)
