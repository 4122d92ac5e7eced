"""What Bedrock's APIs share."""

from __future__ import annotations

from agent.dialects.bedrock_usage import add_units, converse_usage, guardrail_units


def test_an_hour_of_cache_costs_more() -> None:
    """``cacheDetails`` says how long what was written is kept."""
    remarks: list[str] = []
    details = [{"ttl": "1h", "inputTokens": 20}, {"ttl": "5m", "inputTokens": 10}]
    usage = converse_usage(
        {"inputTokens": 1, "outputTokens": 1, "cacheWriteInputTokens": 30, "cacheDetails": details}, remarks
    )
    assert (usage.cache_write_1h_input_tokens, usage.input_tokens) == (20, 31)


def test_a_total_that_does_not_add_up_is_remarked() -> None:
    """Both ways; a total without the cache is some models' habit."""
    cached = {"inputTokens": 10, "outputTokens": 5, "cacheReadInputTokens": 100}
    for total, expected in ((115, []), (15, []), (200, ["total_exceeds_parts"]), (20, ["parts_exceed_total"])):
        remarks: list[str] = []
        converse_usage({**cached, "totalTokens": total}, remarks)
        assert remarks == expected


def test_units_of_policies_are_added_over_assessments() -> None:
    """Input and outputs, by guardrail; free ones are free."""
    one = {"invocationMetrics": {"usage": {"contentPolicyUnits": 2, "sensitiveInformationPolicyFreeUnits": 3}}}
    trace = {"inputAssessment": {"g": one}, "outputAssessments": {"g": [one, one]}}
    assert [(extra.kind, extra.usage.guardrail_units) for extra in guardrail_units(trace)] == [
        ("guardrail_contentPolicyUnits", 6)
    ]
    assert guardrail_units("x") == []
    deep: object = one
    for _ in range(50):
        deep = [deep]
    assert guardrail_units({"inputAssessment": deep}) == []


def test_odd_units_are_0() -> None:
    """Never negative."""
    units: dict[str, int] = {}
    add_units({"topicPolicyUnits": -5, "wordPolicyUnits": "x"}, units)
    assert set(units.values()) == {0}
