// A connection from its first call to its end: identity, positions, judgement.  The same for every library.
#pragma once

static __always_inline u64 cookie_of(struct pt_regs *ctx)
{
#ifdef NO_COOKIES
    return 0;
#else
    return bpf_get_attach_cookie(ctx);
#endif
}

static __always_inline u32 judgement_of(struct conn_key *key, struct conn *conn)
{
    if (conn->judgement)
        return conn->judgement;
    struct verdict *verdict = verdicts.lookup(key);
    if (!verdict)
        return UNDECIDED;
    if (verdict->born_ns == conn->born_ns)
        conn->judgement = verdict->judgement;
    verdicts.delete(key);
    return conn->judgement;
}

// Bytes were moved: the position goes on by all of them, whether they are to be copied or not.
static __always_inline bool is_wanted(struct moved *moved, u64 size)
{
    if (!moved->conn) {
        count(CONNECTIONS_MAP_FULL, 1);
        count(RING_LOST_BYTES, size);
        return 0;
    }
    moved->position = moved->conn->position[moved->direction & 1];
    moved->conn->position[moved->direction & 1] = moved->position + size;
    if (judgement_of(&moved->key, moved->conn) == IGNORE) {
        // The usual end of a look at traffic that isn't ours, so it comes before everything that only ours needs.
        count(IGNORED_BYTES, size);
        return 0;
    }
    moved->cgroup_id = bpf_get_current_cgroup_id();
    u32 zero = 0, *groups = unselected_count.lookup(&zero);
    if (groups && *groups && unselected.lookup(&moved->cgroup_id)) {
        count(UNSELECTED_BYTES, size);
        return 0;
    }
    return 1;
}

static __always_inline void account(struct moved *moved, u64 size)
{
    if (is_wanted(moved, size))
        emit_bytes(moved, size);
}

static __always_inline void tell_descriptor(struct conn_key *key, u32 number, u32 how)
{
    struct descriptor told = {.number = number, .how = how};
    struct conn_key place = {.ssl = PLAIN_POINTER | number, .tgid = key->tgid};
    u64 ssl = key->ssl;
    descriptors.update(key, &told);
    holders.update(&place, &ssl);
}

static __always_inline void forget_descriptor(struct conn_key *key)
{
    struct descriptor *told = descriptors.lookup(key);
    if (!told)
        return;
    struct conn_key place = {.ssl = PLAIN_POINTER | told->number, .tgid = key->tgid};
    u64 *holder = holders.lookup(&place);
    if (holder && *holder == key->ssl)
        holders.delete(&place);
    descriptors.delete(key);
}

static __always_inline int end_without_descriptor(u64 ssl)
{
    struct conn_key key = {.ssl = ssl, .tgid = bpf_get_current_pid_tgid() >> 32};
    struct conn *conn = connections.lookup(&key);
    if (!conn)
        return 0;
    u64 born_ns = conn->born_ns;  // copied before the entry goes
    connections.delete(&key);
    verdicts.delete(&key);
    struct record *record = records.ringbuf_reserve(sizeof(struct record));
    if (!record) {
        count(RECORDS_DROPPED, 1);
        return 0;
    }
    __builtin_memset(record, 0, sizeof(*record));
    record->at_ns = bpf_ktime_get_ns();
    record->ssl = key.ssl;
    record->born_ns = born_ns;
    record->tgid = key.tgid;
    record->kind = RECORD_CLOSED;
    records.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
    return 0;
}

static __always_inline int end_connection(u64 ssl)
{
    struct conn_key key = {.ssl = ssl, .tgid = bpf_get_current_pid_tgid() >> 32};
    forget_descriptor(&key);
    return end_without_descriptor(ssl);
}

// A connection begins with its first call; `born_ns` 0 is now.
static __always_inline struct conn *begun(struct conn_key *key, u32 link, u64 born_ns)
{
    struct conn fresh = {.born_ns = born_ns ? born_ns : bpf_ktime_get_ns(), .link = link};
    // Go reads and writes on two threads at once: the one that comes second takes what the first has made.
    connections.insert(key, &fresh);
    return connections.lookup(key);
}

// The connection's state, made on its first call.  Where probes went and came back, nobody saw what became of those of before: this is another one, and
// what was said on the old one's pointer, or judged of it, is not its.
static __always_inline struct conn *connection_of(struct conn_key *key, u32 link, u64 born_ns)
{
    struct conn *conn = connections.lookup(key);
    if (conn) {
        u32 before = conn->link;
        if (CODE_OF(before) == CODE_OF(link) || links.lookup(&before))
            return conn;
        count(CONNECTIONS_LEFT_BEHIND, 1);
        end_connection(key->ssl);
        born_ns = 0;  // that was the old one's
    }
    return begun(key, link, born_ns);
}
