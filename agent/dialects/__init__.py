"""
The wire APIs we understand.  Order matters: the first dialect that accepts a request reads it.

To add one: write ``agent/dialects/<name>.py``, list it here, and drop recorded traffic into ``tests/golden/<name>/``.
Nothing else changes.
"""

from __future__ import annotations

from agent.dialects.aleph_alpha import AlephAlphaComplete, AlephAlphaEmbed
from agent.dialects.anthropic_batches import AnthropicBatches, AnthropicBatchResults
from agent.dialects.anthropic_complete import AnthropicComplete
from agent.dialects.anthropic_messages import AnthropicMessages
from agent.dialects.base import Dialect, SessionDialect
from agent.dialects.bedrock_agent import BedrockAgent
from agent.dialects.bedrock_converse import BedrockConverse, BedrockConverseStream
from agent.dialects.bedrock_guardrail import BedrockGuardrail
from agent.dialects.bedrock_invoke import BedrockInvoke, BedrockInvokeStream
from agent.dialects.cohere_billed import CohereEmbed, CohereGenerate, CohereRerank
from agent.dialects.cohere_chat import CohereChatV1, CohereChatV2
from agent.dialects.deepgram import DeepgramListen
from agent.dialects.free_calls import (
    AnthropicCountTokens,
    BedrockCountTokens,
    GeminiCountTokens,
    OpenAiInputTokens,
    OpenAiModerations,
)
from agent.dialects.gemini_batches import GeminiBatches
from agent.dialects.gemini_embed import GeminiBatchEmbed, GeminiEmbed
from agent.dialects.gemini_generate import GeminiGenerate, GeminiStream
from agent.dialects.gemini_grpc import GeminiGrpc, GeminiGrpcStream
from agent.dialects.gemini_interactions import GeminiInteractions
from agent.dialects.gemini_live import GeminiLive
from agent.dialects.llamacpp import LlamaCppCompletion
from agent.dialects.mcp_tools import McpTools
from agent.dialects.mistral_ocr import MistralOcr
from agent.dialects.ollama import OllamaChat, OllamaEmbed, OllamaGenerate
from agent.dialects.openai_audio import OpenAiSpeech, OpenAiTranscription
from agent.dialects.openai_batches import OpenAiBatches, OpenAiBatchResults
from agent.dialects.openai_chat import OpenAiChat
from agent.dialects.openai_completions import OpenAiCompletions
from agent.dialects.openai_embeddings import OpenAiEmbeddings
from agent.dialects.openai_images import OpenAiImages
from agent.dialects.openai_realtime import OpenAiRealtime
from agent.dialects.openai_responses import OpenAiResponses
from agent.dialects.openai_responses_socket import OpenAiResponsesSocket
from agent.dialects.openai_runs import OpenAiRuns
from agent.dialects.pinecone import PineconeEmbed, PineconeIndex
from agent.dialects.pinecone_grpc import PineconeGrpc
from agent.dialects.replicate import ReplicatePredictions, ReplicateStream
from agent.dialects.rerank import Rerank
from agent.dialects.sagemaker import SageMakerInvocations, SageMakerStream
from agent.dialects.search_tools import Exa, Firecrawl, Serper, Tavily
from agent.dialects.tgi import TgiGenerate, TgiStream
from agent.dialects.vector_stores import Chroma, ElasticsearchKnn, Milvus, Qdrant, Weaviate
from agent.dialects.vertex_predict import VertexPredict
from agent.dialects.watsonx import WatsonxEmbeddings, WatsonxGeneration
from agent.dialects.xai_grpc import XaiGrpc, XaiGrpcStream

DIALECTS: tuple[type[Dialect], ...] = (
    OpenAiChat,
    OpenAiCompletions,
    OpenAiResponses,
    WatsonxEmbeddings,
    OpenAiEmbeddings,
    OpenAiImages,
    OpenAiRuns,
    AnthropicMessages,
    AnthropicComplete,
    GeminiGenerate,
    GeminiStream,
    GeminiEmbed,
    GeminiBatchEmbed,
    BedrockConverse,
    BedrockConverseStream,
    BedrockInvoke,
    BedrockInvokeStream,
    CohereChatV2,
    CohereChatV1,
    CohereEmbed,
    CohereRerank,
    CohereGenerate,
    Rerank,
    OllamaChat,
    OllamaGenerate,
    OllamaEmbed,
    TgiGenerate,
    TgiStream,
    WatsonxGeneration,
    ReplicatePredictions,
    ReplicateStream,
    SageMakerInvocations,
    SageMakerStream,
    AlephAlphaComplete,
    AlephAlphaEmbed,
    AnthropicBatches,
    AnthropicBatchResults,
    BedrockGuardrail,
    AnthropicCountTokens,
    BedrockCountTokens,
    GeminiCountTokens,
    OpenAiInputTokens,
    OpenAiModerations,
    GeminiBatches,
    GeminiInteractions,
    LlamaCppCompletion,
    MistralOcr,
    OpenAiSpeech,
    OpenAiTranscription,
    OpenAiBatches,
    OpenAiBatchResults,
    PineconeEmbed,
    PineconeIndex,
    PineconeGrpc,
    GeminiGrpc,
    GeminiGrpcStream,
    XaiGrpc,
    XaiGrpcStream,
    Exa,
    Firecrawl,
    Serper,
    Tavily,
    VertexPredict,
    BedrockAgent,
    DeepgramListen,
    McpTools,
    Chroma,
    ElasticsearchKnn,
    Milvus,
    Qdrant,
    Weaviate,
)

SESSION_DIALECTS: tuple[type[SessionDialect], ...] = (
    OpenAiRealtime,
    OpenAiResponsesSocket,
    GeminiLive,
)
"""The same for WebSockets: asked instead of ``DIALECTS`` where a request wants to be upgraded to one."""
