"""Guardrails by themselves."""

from __future__ import annotations

from agent.model import Evidence
from tests.dialects.helpers import read


def test_each_policy_bills_its_own_units() -> None:
    """Free ones are left out."""
    usage = {
        "topicPolicyUnits": 1,
        "contentPolicyUnits": 2,
        "wordPolicyUnits": 0,
        "sensitiveInformationPolicyFreeUnits": 4,
    }
    got = read("/guardrail/g/version/DRAFT/apply", "bedrock-runtime.us-east-1.amazonaws.com", answer={"usage": usage})
    assert {extra.kind: extra.usage.guardrail_units for extra in got.extra_usage} == {
        "guardrail_topicPolicyUnits": 1,
        "guardrail_contentPolicyUnits": 2,
    }
    assert got.evidence is Evidence.REPORTED
