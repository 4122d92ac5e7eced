// What leaves the machine, seen where packets leave, in the thread that wrote them wherever TCP sends at once.  The only program that is no probe; it sits on
// the root of the cgroups, behind agent/capture/egress.py.  Every packet of the node passes here, so what most packets pay comes first and is little.
#ifdef PACKETS

#define EGRESS_PASS 1  // a packet is never held back: there is no other way out of this program
#define AF_INET 2
#define TLS_APPLICATION_DATA 23
#define TLS_MAX_PLAINTEXT 16384  // RFC 8446, 5.1
// In front of the first application data of a packet there may be the end of a handshake: a change of cipher, a finished message.
#define MAX_RECORDS 4
// Of records of one socket; later ones of the connection are not looked for.
#define SETTLED_TIMES 3

// Whether a record of so many bytes can be the first one of a write: what ciphers add is 16 and the type in TLS 1.3, in TLS 1.2 an explicit nonce of 8 with
// AES-GCM and nothing with ChaCha20.  CBC's padding is not followed, nor CCM with 8 bytes: no model's host speaks them.
static __always_inline bool fits(u32 record, u32 size)
{
    u32 more = record - (size < TLS_MAX_PLAINTEXT ? size : TLS_MAX_PLAINTEXT);
    return more == 17 || more == 24 || more == 16;
}

static __always_inline void tell_socket(struct __sk_buff *skb, struct pending *pending, struct note *note)
{
    struct bpf_sock *sock = skb->sk;
    if (!sock)
        return;
    sock = bpf_sk_fullsock(sock);
    if (!sock)
        return;
    struct sighting_key key = {.ssl = note->ssl, .born_ns = note->born_ns, .tgid = pending->tgid};
    u64 socket = bpf_get_socket_cookie(skb);
    struct sighting *seen = sightings.lookup(&key);
    if (!seen) {
        struct sighting first = {.socket = socket, .times = 1};
        u32 *address = (u32 *)first.peer.address;
        first.peer.family = sock->family;
        first.peer.port = bpf_ntohs((u16)sock->dst_port);
        if (sock->family == AF_INET) {
            address[0] = sock->dst_ip4;
        } else {
            address[0] = sock->dst_ip6[0];
            address[1] = sock->dst_ip6[1];
            address[2] = sock->dst_ip6[2];
            address[3] = sock->dst_ip6[3];
        }
        sightings.update(&key, &first);
        return;
    }
    if (seen->socket != socket)
        seen->contradicted = 1;
    else
        seen->times++;
    if (seen->times < SETTLED_TIMES && !seen->contradicted)
        return;
    struct conn_key name = {.ssl = key.ssl, .tgid = key.tgid};
    struct conn *conn = connections.lookup(&name);
    if (conn && conn->born_ns == key.born_ns)
        conn->noted = MAX_NOTED;
}

// One record: told of the only connection that has a write which it fits.
static __always_inline void match(struct __sk_buff *skb, struct pending *pending, u32 record, u64 now)
{
    struct note *found = 0;
    bool wanted = 0, ambiguous = now < pending->blind_until_ns;
#pragma unroll
    for (int slot = 0; slot < NOTES; slot++) {
        struct note *note = &pending->notes[slot];
        if (note->state == NOTE_FREE || !fits(record, note->size))
            continue;
        wanted |= note->state == NOTE_WANTED;
        if (found && (found->ssl != note->ssl || found->born_ns != note->born_ns))
            ambiguous = 1;
        found = note;
    }
    if (!found)
        return;
    if (ambiguous) {
        // One of them has been sent now, and nobody knows which: all stay, in the way of each other and of later ones.
        if (wanted)
            count(PACKETS_AMBIGUOUS, 1);
#pragma unroll
        for (int slot = 0; slot < NOTES; slot++)
            if (pending->notes[slot].state == NOTE_WANTED && fits(record, pending->notes[slot].size))
                pending->notes[slot].state = NOTE_RIVAL;
        return;
    }
    // More than a record: the next ones are as long as any long write's first.
    found->state = found->size > TLS_MAX_PLAINTEXT ? NOTE_RIVAL : NOTE_FREE;
    if (wanted)
        tell_socket(skb, pending, found);
}

static __always_inline bool is_waiting(struct pending *pending, u64 now)
{
    bool waiting = 0;
#pragma unroll
    for (int slot = 0; slot < NOTES; slot++) {
        struct note *note = &pending->notes[slot];
        if (note->state != NOTE_FREE && now - note->at_ns > NOTE_LIVES_NS)
            note->state = NOTE_FREE;
        waiting |= note->state != NOTE_FREE;
    }
    return waiting;
}

static __always_inline void look_for_writes(struct __sk_buff *skb, u64 task, struct pending *pending)
{
    u64 now = bpf_ktime_get_ns();
    if (!is_waiting(pending, now)) {
        pendings.delete(&task);
        return;
    }
    // TCP also sends when an acknowledgement comes, in the middle of whatever thread is running.  That it is somebody else's packet then is seen by its group.
    u32 tcp_at = 0, at = bpf_skb_cgroup_id(skb) == pending->cgroup_id ? payload_of(skb, &tcp_at) : 0;
    if (!at)
        return;
#pragma nounroll
    for (int number = 0; number < MAX_RECORDS; number++) {
        u8 head[TLS_HEADER_BYTES];
        if (bpf_skb_load_bytes(skb, at, head, sizeof(head)) || head[0] < 20 || head[0] > 23 || head[1] != 3)
            break;
        u32 record = (u32)head[3] << 8 | head[4];
        if (head[0] == TLS_APPLICATION_DATA)
            match(skb, pending, record, now);
        at += sizeof(head) + record;
    }
    if (!is_waiting(pending, now))
        pendings.delete(&task);
}

int egress(struct __sk_buff *skb)
{
    u64 task = bpf_get_current_task();
    struct pending *pending = pendings.lookup(&task);
    if (pending)
        look_for_writes(skb, task, pending);
    if (is_young(skb))
        tell_hello(skb);
    return EGRESS_PASS;
}
#endif
