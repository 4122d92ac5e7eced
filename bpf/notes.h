// Writes whose packets are looked for, to learn the socket of a connection that nobody gave a descriptor to: egress.c finds them.
// A write is noted before it is made: of programs that let the library write to its socket the packet leaves inside the call, of others behind it.
#pragma once

// The packet of a write follows within microseconds.  What is older may still leave, from a queue, and would then be taken for a younger write's: so for as
// long as this an unseen write stands beside others of its length, and nothing is told.
#define NOTE_LIVES_NS 1000000000ULL
// So many writes of a connection are noted.  Whose packets have not been found by then, they won't be: another thread sends them, or their length is not known.
#define MAX_NOTED 16

#ifdef PACKETS
static __always_inline struct pending *pending_of(u64 task, u32 state)
{
    struct pending *pending = pendings.lookup(&task);
    if (pending || state == NOTE_RIVAL)
        return pending;  // a rival alone has nobody to be mistaken for
    u32 zero = 0;
    struct pending *nothing = no_notes.lookup(&zero);
    if (!nothing)
        return 0;
    pendings.update(&task, nothing);
    return pendings.lookup(&task);
}

// Its socket is known, or nobody asks: its writes are noted only because they could be mistaken for others'.
static __always_inline bool is_settled(struct conn *conn)
{
    return conn && (conn->judgement == IGNORE || conn->noted >= MAX_NOTED);
}

static __always_inline void note(struct conn *conn, struct conn_key *key, u64 born_ns, u32 size)
{
    u32 state = is_settled(conn) ? NOTE_RIVAL : NOTE_WANTED;
    struct pending *pending = pending_of(bpf_get_current_task(), state);
    if (!pending || !size)
        return;
    if (conn && state == NOTE_WANTED)
        conn->noted++;
    u64 now = bpf_ktime_get_ns();
    u32 slot = pending->next & (NOTES - 1);
    struct note *place = &pending->notes[slot];
    if (place->state != NOTE_FREE && now - place->at_ns < NOTE_LIVES_NS)
        pending->blind_until_ns = place->at_ns + NOTE_LIVES_NS;
    pending->next = slot + 1;
    pending->cgroup_id = bpf_get_current_cgroup_id();
    pending->tgid = key->tgid;
    place->ssl = key->ssl;
    place->born_ns = born_ns;
    place->at_ns = now;
    place->size = size;
    place->state = state;
}
#endif

// When the connection was born of which a call is about to write `size` bytes; for one that is not known yet this is now.  0 where that is not looked up:
// nearly always, as connections live longer than their first packets.
static __always_inline u64 note_call(struct thread *thread, u64 ssl, u32 tgid, u64 size)
{
#ifdef PACKETS
    u64 now = 0;
    if (thread->noting_until_ns) {
        now = bpf_ktime_get_ns();
        if (now >= thread->noting_until_ns)
            thread->noting_until_ns = 0;
    }
    if (thread->settled_ssl == ssl && !thread->noting_until_ns)
        return 0;
    struct conn_key key = {.ssl = ssl, .tgid = tgid};
    struct conn *conn = connections.lookup(&key);
    if (!now)
        now = bpf_ktime_get_ns();
    u64 born_ns = conn ? conn->born_ns : now;
    if (!is_settled(conn))
        thread->noting_until_ns = now + NOTE_LIVES_NS;
    note(conn, &key, born_ns, size);
    return born_ns;
#else
    return 0;
#endif
}

// The same where the connection is at hand.
static __always_inline void note_moved(struct moved *moved, u64 size)
{
#ifdef PACKETS
    if (moved->conn)
        note(moved->conn, &moved->key, moved->conn->born_ns, size);
#endif
}

// Behind a write: whether this thread's next one on the connection needs no note.
static __always_inline void settle(struct thread *thread, struct conn *conn, u64 ssl)
{
#ifdef PACKETS
    thread->settled_ssl = is_settled(conn) ? ssl : 0;
#endif
}

// The pointer's next connection is another one.  Where another thread ends it, that one's first write goes without a note.
static __always_inline void unsettle(u64 ssl)
{
#ifdef PACKETS
    u64 id = bpf_get_current_pid_tgid();
    struct thread *thread = threads.lookup(&id);
    if (thread && thread->settled_ssl == ssl)
        thread->settled_ssl = 0;
#endif
}
