"""
The fake provider: a TLS server that answers as OpenAI, Anthropic, Gemini and Bedrock do, and books what it served.

It makes nothing up about formats: field names, event order, codings and framing are the real ones.  Only the text is nonsense,
and the amounts are drawn from a generator that is seeded with the caller, so that two runs serve the same.
"""
