"""
Inclusive usage into disjoint token types, which may be added up: what metrics count and what prices apply to.

Inconsistent parts (more cached than there was input) are cut to fit, never negative; the sums of the types are the totals stated.
"""

from __future__ import annotations

import enum

from agent.model import Usage


class TokenType(enum.StrEnum):
    INPUT = "input"
    """Neither read from nor written to a cache."""
    CACHE_READ = "cache_read"
    CACHE_WRITE = "cache_write"
    CACHE_WRITE_1H = "cache_write_1h"
    """Kept for an hour (Anthropic), at a higher price."""
    OUTPUT = "output"
    REASONING = "reasoning"


def disjoint(usage: Usage) -> dict[TokenType, int]:
    """Tokens by type; types that are not stated or 0 are left out."""
    left = usage.input_tokens or 0
    read = min(usage.cache_read_input_tokens or 0, left)
    written = min(usage.cache_write_input_tokens or 0, left - read)
    written_1h = min(usage.cache_write_1h_input_tokens or 0, written)
    output = usage.output_tokens or 0
    reasoning = min(usage.reasoning_output_tokens or 0, output)
    types = {
        TokenType.INPUT: left - read - written,
        TokenType.CACHE_READ: read,
        TokenType.CACHE_WRITE: written - written_1h,
        TokenType.CACHE_WRITE_1H: written_1h,
        TokenType.OUTPUT: output - reasoning,
        TokenType.REASONING: reasoning,
    }
    return {kind: tokens for kind, tokens in types.items() if tokens}
