// Every map: from what, to what, by which key, and who deletes.
#pragma once

// Records for user space, drained by polling: nobody is woken for one of them.
BPF_RINGBUF_OUTPUT(records, RING_PAGES);

// From a thread to the arguments of its ongoing calls.
// Key: pid_tgid.  Entries are reused while the thread lives; sched_process_exit and sched_process_exec delete them.
// A plain hash, not LRU: an LRU evicts live calls under load.
BPF_HASH(threads, u64, struct thread, MAX_THREADS);

// From a connection to its state: identity, positions, judgement.
// Deleted by SSL_free and SSL_shutdown here; by user space when the process has ended or has a new program.
BPF_HASH(connections, struct conn_key, struct conn, MAX_CONNECTIONS);

// From a connection to user space's answer about it.
// Written by user space; read once and deleted here, when the connection's next call comes; else deleted with the connection.
BPF_HASH(verdicts, struct conn_key, struct verdict, MAX_CONNECTIONS);

// From a connection to the descriptor that it reads from.
// Written when that is told, which is at the connection's beginning; deleted with the connection.  LRU, because it is a hint and no live state: it is looked
// up when the connection is judged ours, soon after, and processes end without freeing anything.
BPF_TABLE("lru_hash", struct conn_key, struct descriptor, descriptors, MAX_DESCRIPTORS);

// From a descriptor to the connection that it was told of last: of who had the number before it is not known any more.
// Written and deleted with the other one; LRU for the same reason.
BPF_TABLE("lru_hash", struct conn_key, u64, holders, MAX_DESCRIPTORS);

// From a cgroup id to 1 when its workload is not selected.  Written and deleted by user space.
BPF_HASH(unselected, u64, u32, MAX_CGROUPS);

// One value: how many cgroups are in `unselected`.  An array's look-up is inlined, so on nodes where everything is selected that
// map costs nothing.  Written by user space.
BPF_ARRAY(unselected_count, u32, 1);

// From a link's id to 1 while its probes are in place.
// Written and deleted by user space: before the probes come, and before they go.
BPF_HASH(links, u32, u32, MAX_LINKS);

#ifdef PACKETS
// A write whose packet is yet to be seen.
struct note {
    u64 ssl;
    u64 born_ns;
    u64 at_ns;
    u32 size;
    u32 state;  // enum note_state
};

enum note_state { NOTE_FREE = 0, NOTE_WANTED = 1, NOTE_RIVAL = 2 };

// A thread's packet follows its write at once, so few writes wait at the same time.  A power of two.
#define NOTES 8

struct pending {
    struct note notes[NOTES];
    u64 cgroup_id;
    u64 blind_until_ns;  // a note that still counted had to make room
    u32 tgid;
    u32 next;
};

// From a thread (its task's address, which is never followed: the one name of it that a packet's program may have) to its writes whose packets are yet to be seen.
// Written by writes, deleted when all have been seen or are too old, and at the thread's end.  LRU, because it is a hint.
BPF_TABLE("lru_hash", u64, struct pending, pendings, MAX_PENDING);

// What a new entry of `pendings` is, as it is too large for the stack.  Never written.
BPF_ARRAY(no_notes, struct pending, 1);

// From a connection to the socket that its records were seen to leave through.
// Written by `egress`; nobody deletes: LRU, and a connection's birth in the key keeps it from the next one's.
BPF_TABLE("lru_hash", struct sighting_key, struct sighting, sightings, MAX_DESCRIPTORS);
#endif

#ifdef PLAINTEXT
// From a descriptor to whom it was connected.  Written by connect; deleted when the descriptor becomes another file.
// LRU, because it is a hint and no live state: of who is not here /proc says it, and processes end without closing anything.
BPF_TABLE("lru_hash", struct conn_key, struct peer, peers, MAX_CONNECTIONS);
#endif

#ifdef PLAINTEXT_PORTS
// From a port to 1 where plaintext is looked for.  Written by user space at its start.
BPF_HASH(plain_ports, u32, u32, MAX_PORTS);
#endif

#ifdef PACKETS
// How much was told of what a socket said first in TLS.
struct greeting {
    u32 sequence;  // of its first byte
    u32 told;      // bytes
    u32 size;      // of its record
};

// From a socket's cookie to that.  LRU, as it only spares telling it again: nobody says when a socket ends.
BPF_TABLE("lru_hash", u64, struct greeting, greetings, MAX_DESCRIPTORS);

// How many packets that open TLS were told of a group.
struct hello_rate {
    u64 since_ns;
    u32 told;    // since then
    u32 untold;  // ever: there were too many in their second
};

// From a cgroup's id to that.  LRU: who is forgotten begins anew.
BPF_TABLE("lru_hash", u64, struct hello_rate, hello_rates, MAX_CGROUPS);
#endif

// By enum counter.  Never deleted.
BPF_ARRAY(counters, u64, COUNTERS_LENGTH);

static __always_inline void count(u32 counter, u64 amount)
{
    u64 *value = counters.lookup(&counter);
    if (value)
        __sync_fetch_and_add(value, amount);
}
