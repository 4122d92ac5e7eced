"""Connections to model APIs by pod: counted, bounded, forgotten with the pod."""

from __future__ import annotations

from dataclasses import replace

from agent.model import Joined
from agent.sinks.connections import Connections, who_of
from tests.sinks.entries import WEB


def test_each_outcome_is_counted_by_pod_and_provider() -> None:
    """All outcomes are there from the first on, so that a rate has a beginning."""
    made = Connections(max_pods=9)
    for joined in (Joined.READ, Joined.READ, Joined.NOT_READ):
        made.accept(WEB, "openai", joined)
    made.accept(WEB, "anthropic", Joined.UNKNOWN)
    assert made.outcomes() == {
        (who_of(WEB), "openai"): {"read": 2, "not_read": 1, "unknown": 0, "read_late": 0, "untold": 0},
        (who_of(WEB), "anthropic"): {"read": 0, "not_read": 0, "unknown": 1, "read_late": 0, "untold": 0},
    }
    assert made.samples()[(*who_of(WEB), "openai", "read")] == 2.0
    assert len(made.samples()) == 10


def test_pods_beyond_the_limit_share_a_place_until_one_goes() -> None:
    """What pods are called must not decide how much memory this needs."""
    made = Connections(max_pods=2)
    for number in range(5):
        made.accept(replace(WEB, pod=f"web-{number}"), "openai", Joined.READ)
    assert [(who[3], counts["read"]) for (who, _), counts in made.outcomes().items()] == [
        ("web-0", 1),
        ("web-1", 1),
        ("other", 3),
    ]
    made.forget_pod(WEB.namespace, "web-0")
    made.accept(replace(WEB, pod="web-9"), "openai", Joined.READ)
    assert {who[3] for who, _ in made.outcomes()} == {"web-1", "other", "web-9"}
