// The packets that open TLS on a socket: told with what they say, which is the server's name, of every socket and library (agent/pipeline/hellos.py).
// What every packet pays is one look at its socket (`is_young`); only the first ones of a connection are looked into.
#ifdef PACKETS

// A client opens TLS with its first packet, or behind a word with a proxy (CONNECT, asked again for a password).  Segments, as the kernel counts them: a long
// hello is several, in one packet up to here.
#define YOUNG_SEGMENTS 16
#define YOUNG_BYTES 8192  // received by then: a proxy's answers
#define HELLO_HEAD_BYTES 6
#define TLS_HANDSHAKE 22
#define TLS_CLIENT_HELLO 1
// Of a group in a second: a pod that opens connections without end has its own room in the ring and its own part of the reader's time, and nobody else's.
#define HELLOS_A_SECOND 128
#define A_SECOND_NS 1000000000ULL

static __always_inline bool is_young(struct __sk_buff *skb)
{
    struct bpf_sock *sock = skb->sk;
    if (!sock)
        return 0;
    struct bpf_tcp_sock *tcp = bpf_tcp_sock(sock);
    // Counted before the packet comes here: of its first data it is 1.
    return tcp && tcp->data_segs_out - 1 < YOUNG_SEGMENTS && tcp->bytes_received <= YOUNG_BYTES;
}

static __always_inline bool has_room(u64 group, u64 now, u32 *untold)
{
    struct hello_rate *rate = hello_rates.lookup(&group);
    if (!rate) {
        struct hello_rate first = {.since_ns = now, .told = 1};
        hello_rates.update(&group, &first);
        return 1;
    }
    if (now - rate->since_ns >= A_SECOND_NS) {
        rate->since_ns = now;
        rate->told = 0;
    }
    *untold = rate->untold;
    if (rate->told < HELLOS_A_SECOND) {
        __sync_fetch_and_add(&rate->told, 1);
        return 1;
    }
    __sync_fetch_and_add(&rate->untold, 1);
    count(HELLOS_UNTOLD, 1);
    return 0;
}

static __always_inline void hello_into(struct record *record, const struct record *head, struct __sk_buff *skb, u32 at, u32 limit)
{
    u32 moved = skb->len - at, size = moved;
    if (size > limit)
        size = limit;
    *record = *head;
    record->lost = moved - size;
    record->size = size;
    // As in copy_into: the bounds come from arithmetic.
    u32 copied = *(volatile u32 *)&record->size - 1;
    copied = (copied & (limit - 1)) + 1;
    if (bpf_skb_load_bytes(skb, at, record + 1, copied)) {
        record->size = 0;
        record->lost = moved;
    }
}

static __always_inline bool emit_hello(struct __sk_buff *skb, u32 at, const struct record *head)
{
    struct record *record;
    if (skb->len - at <= CLASS_1) {
        record = records.ringbuf_reserve(sizeof(struct record) + CLASS_1);
        if (!record)
            return 0;
        hello_into(record, head, skb, at, CLASS_1);
    } else {
        record = records.ringbuf_reserve(sizeof(struct record) + CLASS_2);
        if (!record)
            return 0;
        hello_into(record, head, skb, at, CLASS_2);
    }
    records.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
    return 1;
}

// Once a socket, as it is said first: what is sent again is known by its sequence.  A hello of several packets is told in as many records.
static __always_inline void tell_hello(struct __sk_buff *skb)
{
    u32 tcp_at = 0, at = payload_of(skb, &tcp_at), sequence = 0;
    u64 cookie = bpf_get_socket_cookie(skb);
    if (!at || !cookie || bpf_skb_load_bytes(skb, tcp_at + TCP_SEQUENCE_AT, &sequence, sizeof(sequence)))
        return;
    struct greeting begun = {.sequence = bpf_ntohl(sequence)};
    struct greeting *known = greetings.lookup(&cookie);
    if (known) {
        if (known->told >= known->size || begun.sequence != known->sequence + known->told)
            return;
        begun = *known;
    } else {
        u8 head[HELLO_HEAD_BYTES];
        if (bpf_skb_load_bytes(skb, at, head, sizeof(head)) || head[0] != TLS_HANDSHAKE || head[1] != 3 || head[5] != TLS_CLIENT_HELLO)
            return;
        begun.size = TLS_HEADER_BYTES + ((u32)head[3] << 8 | head[4]);
    }
    u64 group = bpf_skb_cgroup_id(skb), now = bpf_ktime_get_ns();
    u32 zero = 0, untold = 0, *groups = unselected_count.lookup(&zero);
    if ((groups && *groups && unselected.lookup(&group)) || !has_room(group, now, &untold))
        return;
    struct record head = {.at_ns = now, .ssl = cookie, .cgroup_id = group, .position = begun.told, .tgid = untold, .kind = RECORD_HELLO, .direction = SENT};
    if (!emit_hello(skb, at, &head)) {
        count(HELLOS_DROPPED, 1);
        return;
    }
    begun.told += skb->len - at;
    greetings.update(&cookie, &begun);
}
#endif
