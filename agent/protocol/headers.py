"""
The header names that we keep.  Everything else is forgotten while it is tokenised, so a key can't leak from where it never was.

Sources: the providers' API references; see docs/adding-a-provider.md for what each is used for.
"""

from __future__ import annotations

KEPT = frozenset(
    [
        "host",
        "content-type",
        "content-encoding",
        "content-length",
        "transfer-encoding",
        "connection",
        "upgrade",
        "x-request-id",
        "request-id",
        "apim-request-id",
        "x-amzn-requestid",
        "x-amzn-errortype",
        "x-amzn-bedrock-input-token-count",
        "x-amzn-bedrock-output-token-count",
        "x-amzn-bedrock-cache-read-input-token-count",
        "x-amzn-bedrock-cache-write-input-token-count",
        "x-amzn-bedrock-service-tier",
        "x-prompt-tokens",
        "x-generated-tokens",
        "x-compute-type",
        "mistral-correlation-id",
        "x-debug-trace-id",
        "x-generation-id",
        "x-ds-trace-id",
        "x-litellm-call-id",
        "x-litellm-response-cost",
        "pydantic-ai-gateway-price-estimate",
        "x-stainless-retry-count",
        "amz-sdk-request",
        "openai-organization",
        "openai-project",
        "openai-processing-ms",
        "anthropic-organization-id",
        "anthropic-workspace-id",
        "retry-after",
        "retry-after-ms",
        "x-should-retry",
        "x-ms-region",
        "x-ms-deployment-name",
        "x-ms-served-model",
        "x-ms-is-spilled-over",
        "azureai-processed-tier",
        "x-gemini-service-tier",
        "x-goog-request-params",
    ]
)
