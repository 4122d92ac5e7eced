"""
The vocabulary: every type that crosses a stage, in the order of the road.

    kernel → Opened | Chunk | Closed → Segment | Gap → RequestHead … EndOfMessage → Reading → Call → Cost → LedgerEntry

Values only: no clock, no socket, no logger.  Times are ``*_ns``: nanoseconds since the Unix epoch, UTC; the capture stage
converts the kernel's monotonic stamps before anything else sees them.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import field
from decimal import Decimal
from typing import NamedTuple

from agent.values import value

# ---------------------------------------------------------------------------------------------------------------- capture


class Direction(enum.IntEnum):
    """Seen from the process whose library call we watched.  The numbers cross from C: see ``bpf/podtab.h``."""

    SENT = 0
    RECEIVED = 1


class ConnId(NamedTuple):
    """
    One connection of one process.  A NamedTuple, as it is the key of everything that is kept of a connection.

    Neither pid nor pointer reuse can mix two customers' money: ``born_ns`` is the kernel's monotonic stamp of the first
    call on this pointer since it was created or freed, so no two connections of a boot share all three.
    """

    pid: int
    pointer: int
    """Address of the library's connection object (``SSL *``); in plaintext the file descriptor, with the highest bit set."""
    born_ns: int
    """CLOCK_MONOTONIC, not wall time: it is an identity, not a moment."""


@value(frozen=True, slots=True, kw_only=True)
class Chunk:
    """
    Bytes that one read or write call moved, as the kernel copied them.

    Capture may join neighbouring calls of one direction into one Chunk when they were drained together; ``at_ns`` and
    ``last_at_ns`` then span them.  It never joins the first calls after the direction turned, so time to first token stays exact.
    """

    conn: ConnId
    direction: Direction
    position: int
    """Offset of ``data[0]`` in this direction of the connection."""
    data: bytes
    lost: int = 0
    """Bytes of the same call that the kernel saw but did not copy, after ``data``."""
    at_ns: int
    last_at_ns: int
    cgroup_id: int
    """``bpf_get_current_cgroup_id()``: the inode of the cgroup v2 folder; 0 where unknown."""


@value(frozen=True, slots=True, kw_only=True)
class Peer:
    """The other end of a connection, as the process named it: behind a Service that is the Service's address."""

    address: str
    port: int


@value(frozen=True, slots=True, kw_only=True)
class Opened:
    """A plaintext connection, before its first bytes."""

    conn: ConnId
    peer: Peer | None
    """None: nobody saw it connect, or it is no internet address."""
    is_socket: bool
    """False: it may be another kind of file."""
    at_ns: int


@value(frozen=True, slots=True, kw_only=True)
class Closed:
    """The connection object was freed, or its process ended: nothing more will come."""

    conn: ConnId
    at_ns: int


@value(frozen=True, slots=True, kw_only=True)
class Hello:
    """A packet that opens TLS on a socket, or the next one of it, as it left: whoever made it, and whether or not anything reads what follows."""

    cookie: int
    """The socket's, which the kernel gives to no other one (``SO_COOKIE``)."""
    cgroup_id: int
    """Of the socket: whose process made it."""
    position: int
    """Of ``data[0]``: 0, unless packets before held the beginning."""
    data: bytes
    lost: int
    """Bytes of the packet behind ``data``."""
    untold: int
    """Packets of this group, ever, that were too many in their second.  It may begin at 0 again."""
    at_ns: int


class Joined(enum.StrEnum):
    """What became of a TLS connection to a model API, of which a packet told."""

    READ = "read"
    """A probe read it, and it was judged an API's."""
    NOT_READ = "not_read"
    """No probe did."""
    UNKNOWN = "unknown"
    """Its group had a connection that was read and whose socket is not known: it may be that one."""
    READ_LATE = "read_late"
    """It was read after all, when it had been counted as one of the two before."""
    UNTOLD = "untold"
    """Its packet was one too many in its second, so nobody knows where it went: not even whether to a model API."""


class Known(NamedTuple):
    """A TLS connection to a known model API, or some that are untold."""

    cgroup_id: int
    provider: str
    joined: Joined
    number: int = 1


@value(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that capture has looked at, read from /proc while it was alive, so that it can be named after its death."""

    pid: int
    start_ticks: int
    """Field 22 of /proc/PID/stat: with ``pid`` it names a process for the life of the boot."""
    name: str
    """/proc/PID/comm."""
    cgroup_id: int
    cgroup_path: str
    """Path below the cgroup v2 mount, else of the v1 hierarchy that names a container; "" where unreadable."""


class CoverageReason(enum.StrEnum):
    """How far the calls of one process can be read."""

    READABLE = "readable"
    CANNOT_DECRYPT = "cannot_decrypt"
    """Its TLS library carries no probe."""
    MISSED_START = "missed_start"
    """It holds a connection that was open before its library was probed, and that can't be read from the middle."""
    BYTES_LOST = "bytes_lost"
    """Bytes of its calls were seen and not read, lately."""
    NOT_SELECTED = "not_selected"


@value(frozen=True, slots=True, kw_only=True)
class ProcessCoverage:
    """A process that uses TLS, and what podtab sees of it.  Processes without a TLS library are not spoken of."""

    process: Process
    reason: CoverageReason
    library: str = ""
    """Path as the process sees it; "" where it is not known."""
    detail: str = ""
    remedy: str = ""
    older_than_probe: bool = False
    """It ran before its library carried a probe."""


class Judgement(enum.StrEnum):
    WATCH = "watch"
    IGNORE = "ignore"


@value(frozen=True, slots=True, kw_only=True)
class Verdict:
    """
    User space's answer about a connection; a WATCH may turn into an IGNORE later, never the other way.

    After IGNORE the kernel drops its bytes before any copy, and counts them.
    """

    conn: ConnId
    judgement: Judgement
    reason: str
    """A word of a closed set, fit for a metric label: ``known_host known_path known_body not_http server_side unknown_api
    upgraded session_lost session_missed quarantined unselected``."""


# ---------------------------------------------------------------------------------------------------------------- streams


@value(frozen=True, slots=True, kw_only=True)
class Segment:
    """The next bytes of one direction, in order."""

    direction: Direction
    data: bytes
    at_ns: int
    last_at_ns: int


@value(frozen=True, slots=True, kw_only=True)
class Gap:
    """``size`` bytes of one direction that existed and that we do not have.  0 means: size unknown (joined in mid-connection)."""

    direction: Direction
    size: int
    at_ns: int


# --------------------------------------------------------------------------------------------------------------- protocol


@value(frozen=True, slots=True, kw_only=True)
class RequestHead:
    """HTTP-version-neutral.  ``headers`` holds only names of the allow-list, lower case, first value of each; never a secret."""

    stream_id: int
    method: str
    target: str
    """Path and query as sent, but for keys (Gemini's ``?key=``), which are struck out.  Use ``path`` wherever it may be shown."""
    headers: Mapping[str, str]
    http_version: str = "1.1"
    key_hash: str = ""
    """Keyed hash of the API key that came with it; "" where there was none or hashing is off."""
    missing: bool = False
    """HTTP/2: path or host refer to what was said before we came, or was lost, and are left out."""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def host(self) -> str:
        """Host without port, lower case; "" where the request names none."""
        host = self.headers.get("host", "").lower()
        return host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]


@value(frozen=True, slots=True, kw_only=True)
class ResponseHead:
    """A final (not 1xx) response head; ``headers`` as in ``RequestHead``."""

    stream_id: int
    status: int
    """0 where the head was lost and the body was not."""
    headers: Mapping[str, str]


class Side(enum.Enum):
    REQUEST = "request"
    RESPONSE = "response"


@value(frozen=True, slots=True, kw_only=True)
class Body:
    """Body bytes, transfer coding removed, content coding still on."""

    stream_id: int
    side: Side
    data: bytes


@value(frozen=True, slots=True, kw_only=True)
class Lost:
    """Bytes of this message's body are missing here; ``size`` 0 where unknown."""

    stream_id: int
    side: Side
    size: int


@value(frozen=True, slots=True, kw_only=True)
class EndOfMessage:
    """``complete`` is False when the connection ended, or bytes were lost, before the framing said so."""

    stream_id: int
    side: Side
    complete: bool
    refused: bool = False
    """HTTP/2: the server said that it did nothing about the request (RFC 9113, 8.7), so it cost nothing."""
    trailers: Mapping[str, str] = field(default_factory=dict)
    """HTTP/2; as in ``RequestHead.headers``."""


HttpEvent = RequestHead | ResponseHead | Body | Lost | EndOfMessage


class StreamItem(NamedTuple):
    """One event of a streamed body: an SSE event, or one element of a JSON array.  A NamedTuple, as thousands a second are made."""

    name: str
    """SSE ``event:`` field; "" where there is none."""
    data: bytes


class Message(NamedTuple):
    """One whole message of a WebSocket's direction.  A NamedTuple, as sound comes in hundreds a second."""

    data: bytes
    missing: str = ""
    """Why ``data`` is not here: ``gap too_long cut``, and ``lost``: neither this message nor any that follows can be read."""


# --------------------------------------------------------------------------------------------------------------- dialects


class Evidence(enum.StrEnum):
    """How we know a usage figure."""

    REPORTED = "reported"
    """The provider's own final count."""
    ESTIMATED = "estimated"
    """We counted at least one of the figures.  Of tokens ``Reading.estimate`` says which, and how well; pieces and characters are what they are."""
    PARTIAL = "partial"
    """Bytes were lost or the stream was cut: a lower bound, or a provisional count."""
    ABSENT = "absent"
    """A model call was served and nothing says what it used."""
    NOT_APPLICABLE = "not_applicable"
    """Nothing to bill was served: an error, or an object that is not finished."""


@value(frozen=True, slots=True, kw_only=True)
class Usage:
    """
    Counters in OpenTelemetry's inclusive sense: input includes cache reads and writes, output includes reasoning.

    None means "the provider did not state it", which is not 0.
    Source: OpenTelemetry semantic conventions for generative AI, ``gen_ai.usage.*``.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    cache_write_1h_input_tokens: int | None = None
    """The part of the cache writes that was kept for an hour (Anthropic), which costs more."""
    reasoning_output_tokens: int | None = None
    audio_input_tokens: int | None = None
    audio_output_tokens: int | None = None
    image_input_tokens: int | None = None
    image_output_tokens: int | None = None
    video_input_tokens: int | None = None
    tool_use_input_tokens: int | None = None
    """Gemini: the part of the input that its own tools made."""
    audio_seconds: float | None = None
    """Sound that was taken in (transcription)."""
    pages: int | None = None
    """Pages of documents that were read (OCR)."""
    search_units: int | None = None
    """Cohere's rerank: one query over up to a hundred documents."""
    cache_write_12h_input_tokens: int | None = None
    """The part of the cache writes that was kept for twelve hours (OpenAI), which costs more."""
    compute_seconds: float | None = None
    """Time on the provider's processor, billed by its kind (Replicate, Text Generation Inference)."""
    characters: int | None = None
    """Characters of text that were taken in, where these are billed instead of tokens (speech, Vertex AI's older embeddings)."""
    images: int | None = None
    """Pictures that were made, where they are billed by the piece; ``Reading.variant`` says of which size and quality."""
    video_seconds: float | None = None
    """Length of the video that was made; ``Reading.variant`` says of which size."""
    credits: float | None = None
    """The provider's own unit of money, bought in advance (Tavily, Serper, Firecrawl)."""
    read_units: float | None = None
    """Pinecone; Zilliz's vCU are counted here too."""
    write_units: float | None = None
    guardrail_units: int | None = None
    """Bedrock: texts of up to 1000 characters that one policy looked at.  In ``extra_usage``, whose ``kind`` names the policy."""
    cache_read_audio_input_tokens: int | None = None
    """The part of the audio that came from the cache; None: nobody said which modality the cached tokens had."""
    cache_read_image_input_tokens: int | None = None
    annotated_pages: int | None = None
    """The part of the pages that was annotated as well (Mistral OCR)."""
    output_audio_seconds: float | None = None


@value(frozen=True, slots=True, kw_only=True)
class ExtraUsage:
    """Usage billed on top of the call's own, perhaps of another model (Anthropic ``iterations``, image generation inside Responses)."""

    kind: str
    model: str
    """"" means: the call's served model."""
    usage: Usage


@value(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Which of a usage's counts are ours, and how far they may be off.  Comes with ``Evidence.ESTIMATED`` alone."""

    basis: str
    """What counted: an encoding's name (``o200k_base``), or ``characters``."""
    input_error: float | None
    """Nine in ten recorded calls of this kind are within this share of the provider's own count; None: the provider stated the input, or nobody knows it."""
    output_error: float | None
    """The same of the output, of what arrived."""
    lower_bound: bool
    """There may be more than was counted: the stream was cut, bytes were lost, or the model's reasoning is not shown."""


@value(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a dialect learned from the bodies of one exchange.  Empty strings mean "not stated"."""

    operation: str
    """``gen_ai.operation.name``: chat, text_completion, embeddings, generate_content."""
    requested_model: str = ""
    served_model: str = ""
    response_id: str = ""
    streaming: bool = False
    """The response is an event stream."""
    usage: Usage = field(default_factory=Usage)
    extra_usage: tuple[ExtraUsage, ...] = ()
    usage_by_model: tuple[ExtraUsage, ...] = ()
    """``usage`` once more, divided among the models that did the work behind one name (Groq's compound systems)."""
    evidence: Evidence
    estimate: Estimate | None = None
    finish_reason: str = ""
    tool_calls: tuple[str, ...] = ()
    """Names of the tools the application is asked to run, in order, over all choices."""
    server_tool_calls: Mapping[str, int] = field(default_factory=dict)
    """Tools that the provider ran: name → count."""
    service_tier: str = ""
    """As served, else as requested; ``spillover``: Azure had no room in the capacity that is paid for, and served it by the call."""
    inference_geo: str = ""
    speed: str = ""
    reported_cost_usd: Decimal | None = None
    error: str = ""
    """The provider's own error code or type, also of an error inside a 200 stream.  A word, never a message: messages quote prompts."""
    remarks: tuple[str, ...] = ()
    """Words of a closed set for odd usage, e.g. ``cached_exceeds_input``: counted by rule, never an exception."""
    variant: str = ""
    """What a price depends on besides model and counts: size and quality of pictures (``1024x1024/hd``), the processor's kind, depth of a search."""
    object_ids: tuple[str, ...] = ()
    """Under these ids the same usage can be fetched again, perhaps by another API (a batch and its result file)."""
    recognised: bool = True
    """False: the answer lacks this API's shape.  On a host that is no known provider it is then somebody else's API with the same path."""


class Outcome(enum.StrEnum):
    OK = "ok"
    RATE_LIMITED = "rate_limited"
    CLIENT_ERROR = "client_error"
    SERVER_ERROR = "server_error"
    CUT = "cut"
    """The response ended before its framing, or its dialect, said so."""


@value(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose account at the provider is billed, as far as heads and paths say it; "" where they do not.  Too many to be metric labels."""

    key_hash: str = ""
    """Keyed hash of the API key; on AWS of the access key's id."""
    organization: str = ""
    """OpenAI's and Anthropic's organisation; the account number in an AWS ARN."""
    project: str = ""
    """OpenAI's project; Google's project id."""
    workspace: str = ""
    """Anthropic's."""


@value(frozen=True, slots=True, kw_only=True)
class PassedOn:
    """What a gateway says in the head of its answer about its own call to the provider."""

    request_id: str = ""
    """The provider's, as ``Call.request_id`` has it of that call."""
    model: str = ""
    """The model that it asked, whatever name it is known by here."""


NOT_PASSED_ON = PassedOn()


@value(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to a model and its answer."""

    conn: ConnId
    stream_id: int
    """HTTP/1: the ordinal of the exchange on its connection, from 1."""
    cgroup_id: int
    provider: str
    """``gen_ai.provider.name`` where OpenTelemetry has one (openai, anthropic, gcp.gemini, azure.ai.openai …), else our slug or ``unknown``."""
    api: str
    """The dialect: ``openai/chat``, ``anthropic/messages`` …"""
    host: str
    status: int
    """HTTP status; 0 where no response was seen."""
    outcome: Outcome
    request_id: str = ""
    retry_count: int = 0
    """The SDK's own word that this is a retry: ``x-stainless-retry-count``, ``amz-sdk-request``."""
    started_at_ns: int
    first_byte_at_ns: int
    """Of the response head; 0 where no response was seen."""
    first_token_at_ns: int
    """Of the first streamed item; 0 for answers that are not streamed."""
    ended_at_ns: int
    lost_bytes: int = 0
    account: Account = field(default_factory=Account)
    peer: Peer | None = None
    """None where it is not known for certain."""
    passed_on: PassedOn = NOT_PASSED_ON
    server_name: str = ""
    """That TLS was opened with; "" where that is not known, or no model API's that we know."""
    reading: Reading


@value(frozen=True, slots=True, kw_only=True)
class Unsupported:
    """An exchange with a known provider that we saw and do not read.  Told, not hidden."""

    conn: ConnId
    stream_id: int
    cgroup_id: int
    provider: str
    host: str
    path: str
    """Without query; ids in it replaced by ``*`` before it may become a label."""
    status: int
    reason: str


# ---------------------------------------------------------------------------------------------------------------- pricing


@value(frozen=True, slots=True, kw_only=True)
class CostLine:
    """One priced leaf; leaves are disjoint, so the amounts add up."""

    unit: str
    """What was counted: ``input``, ``cache_read``, ``cache_write``, ``output`` …"""
    quantity: Decimal
    amount_usd: Decimal
    """``quantity × price_usd ÷ per``, times every multiplier of the cost that speaks of this unit."""
    price_usd: Decimal = Decimal(0)
    """The list price of ``per`` units; 0 where the provider said the amount itself."""
    per: int = 1
    multiplier: Decimal = Decimal(1)
    """The product of what changed the list price: region, contract."""


@value(frozen=True, slots=True, kw_only=True)
class Multiplier:
    """One factor on list prices, kept so that an amount explains itself."""

    name: str
    """``region=eu``, or a contract's name."""
    factor: Decimal


class CostSource(enum.StrEnum):
    PROVIDER = "provider"
    """The response said what it costs."""
    PRICE_BOOK = "price_book"
    CUSTOMER = "customer"


@value(frozen=True, slots=True, kw_only=True)
class Cost:
    total_usd: Decimal
    lines: tuple[CostLine, ...]
    source: CostSource
    rule: str
    """Which entry and selectors priced it, e.g. ``openai/gpt-4o-mini``."""
    price_book: str
    """Version and hash of the price data, so that the entry can be recomputed; "" where the provider said it."""
    remarks: tuple[str, ...] = ()
    multipliers: tuple[Multiplier, ...] = ()
    """What changed the list price, in the order it was applied."""
    list_usd: Decimal | None = None
    """Before the customer's contract; None where no contract applies, so the same as ``total_usd``."""


@value(frozen=True, slots=True, kw_only=True)
class Unpriced:
    """An unknown price is its own series, never $0."""

    reason: str
    """A word of a closed set: ``unknown_model unknown_provider unknown_unit no_usage not_billed committed price_book_error
    via_gateway``: the cost stands with the call that the gateway answered."""


@value(frozen=True, slots=True, kw_only=True)
class PricedCall:
    call: Call
    cost: Cost | Unpriced


@value(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """One connection that we stopped reading; the others go on."""

    conn: ConnId
    reason: str
    """``protocol_error``, ``memory``, ``too_many`` or ``bug``; a closed set."""
    detail: str
    """Sizes and names, never payload."""


# ------------------------------------------------------------------------------------------------------------ attribution


@value(frozen=True, slots=True, kw_only=True)
class Workload:
    """Who made the call.  Empty strings mean "not known"; ``kind`` then says which kind of name we fell back to."""

    cluster: str = ""
    node: str = ""
    namespace: str = ""
    kind: str
    """Deployment, StatefulSet, DaemonSet, Job, CronJob, Pod, SystemdUnit, Process, Unknown."""
    name: str
    pod: str = ""
    pod_uid: str = ""
    container: str = ""
    team: str = ""
    feature: str = ""
    customer: str = ""
    environment: str = ""


# ----------------------------------------------------------------------------------------------------------------- ledger


@value(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """The only thing that sinks and budgets see."""

    call: Call
    cost: Cost | Unpriced
    workload: Workload


# ----------------------------------------------------------------------------------------------------------------- errors


class PodtabError(Exception):
    """
    A mistake that a person can mend: the message is one sentence that names the thing and the remedy.

    Every stage's own error of that kind is a subclass; the command line prints it and exits with 1.
    """


class ProtocolError(Exception):
    """
    The one exception of the core: these bytes are not what they should be.

    Costs its connection, nothing else; caught in ``agent.pipeline`` only.  The message holds sizes and names, never payload.
    """
