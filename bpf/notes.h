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

static __always_inline void note(struct conn *conn, struct conn_key *key, u64 born_ns, u32 size)
{
    u32 state = NOTE_WANTED;
    if (conn && (conn->judgement == IGNORE || conn->noted >= MAX_NOTED))
        state = NOTE_RIVAL;
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

// When the connection was born of which a call is about to write `size` bytes; for one that is not known yet this is now.
static __always_inline u64 note_call(u64 ssl, u32 tgid, u64 size)
{
#ifdef PACKETS
    struct conn_key key = {.ssl = ssl, .tgid = tgid};
    struct conn *conn = connections.lookup(&key);
    u64 born_ns = conn ? conn->born_ns : bpf_ktime_get_ns();
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
