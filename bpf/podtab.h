// What crosses between the kernel and user space.  agent/capture/records.py has the same structs, and a test compares every
// offset; compiled with -Wpadded -Werror there, so every hole is named.
#pragma once

enum record_kind {
    RECORD_DATA = 0,          // bytes that one read or write call moved, or a part of them
    RECORD_CLOSED = 1,        // SSL_free or SSL_shutdown
    RECORD_PROCESS_EXEC = 2,  // a process has a new program
    RECORD_PROCESS_EXIT = 3,  // the last thread that is the process has ended
    RECORD_OPENED = 4,        // a plaintext connection, before its first bytes; `struct opened` follows
    RECORD_HELLO = 5,         // a packet that opens TLS, or the next one of it; ssl is its socket's cookie, tgid how many of its group were ever too many
};

enum direction { SENT = 0, RECEIVED = 1 };

// Where a return probe finds the number of bytes: agent/capture/plan.py, Count.
enum count_from { COUNT_RESULT = 0, COUNT_STACK = 1, COUNT_POINTER = 2 };

// Everything a record says besides the bytes, which follow it.
struct record {
    unsigned long long at_ns;      // CLOCK_MONOTONIC
    unsigned long long ssl;        // the library's connection pointer
    unsigned long long born_ns;    // first call on this pointer since it was created or freed
    unsigned long long cgroup_id;  // bpf_get_current_cgroup_id()
    unsigned long long position;   // of the first byte, in this direction of this connection
    unsigned long long lost;       // bytes of the same call, after these, that were seen and not copied
    unsigned int tgid;
    unsigned int size;             // bytes that follow
    unsigned char kind;            // enum record_kind
    unsigned char direction;       // enum direction
    unsigned char pad[6];
};

// A plaintext connection's pointer is its file descriptor with this bit, which no pointer has.
#define PLAIN_POINTER (1ULL << 63)

// Whom a process connected a descriptor to.
struct peer {
    unsigned char address[16];  // 4 of them with AF_INET
    unsigned int family;
    unsigned int port;
};

struct opened {
    struct peer peer;        // family 0: nobody saw the connect
    unsigned int is_socket;  // 0: it was written to as any file can be
    unsigned int pad;
};

struct conn_key {
    unsigned long long ssl;
    unsigned int tgid;
    unsigned int pad;
};

enum judgement { UNDECIDED = 0, WATCH = 1, IGNORE = 2 };

struct conn {
    unsigned long long born_ns;
    unsigned long long position[2];  // by direction
    unsigned int judgement;
    unsigned int link;  // whose probes saw it first; where no call is remembered (tls_go.c), whose it is
    unsigned int noted; // writes that its packets were looked for of; MAX_NOTED: no more are
    unsigned int pad;
};

// Whose socket it was that records of a connection left through.
struct sighting_key {
    unsigned long long ssl;
    unsigned long long born_ns;  // a pointer's next connection is another one
    unsigned int tgid;
    unsigned int pad;
};

struct sighting {
    unsigned long long socket;  // its cookie, which no other socket ever has
    struct peer peer;           // as the socket has it
    unsigned int times;
    unsigned int contradicted;  // records of it were taken for another socket's too: neither counts
};

// How it is known which descriptor a connection reads from.
enum descriptor_how {
    HOW_GIVEN = 0,   // the program gave it to the library
    HOW_MEMORY = 1,  // it stands in the connection's own memory: Go
};

struct descriptor {
    unsigned int number;
    unsigned int how;  // enum descriptor_how
};

// User space's answer about a connection; born_ns keeps a late answer from hitting the pointer's next owner.
struct verdict {
    unsigned long long born_ns;
    unsigned int judgement;
    unsigned int pad;
};

// The arguments of a thread's ongoing call.
struct call {
    unsigned long long ssl;
    unsigned long long buffer;
    unsigned long long count_pointer;  // where the _ex functions, and the inner ones, put the count
    unsigned long long stack;          // the stack pointer when it was opened
    unsigned long long born_ns;        // of the connection, where a write says it; 0 elsewhere
    unsigned int link;                 // of the link that opened the call; 0 without cookies
    unsigned int active;
};

// A flush sends what was written before: the library's own writes inside it are no new bytes.
enum call_state { CALL_NONE = 0, CALL_OPEN = 1, CALL_FLUSH = 2 };

struct thread {
    struct call calls[2];  // by direction: a library may read inside a write
    struct call inner[2];  // of another connection, inside the first: TLS through a TLS proxy
    unsigned long long settled_ssl;      // whose writes need no note: it was so when the last one returned
    unsigned long long noting_until_ns;  // writes of this thread may have packets that are looked for; then all its writes are noted
};

// A link's cookie: which link it is, and how its site tells the count.
#define COOKIE_COUNT(cookie) ((cookie) & 0xff)
#define COOKIE_STACK_OFFSET(cookie) (((cookie) >> 8) & 0xffff)
#define COOKIE_POINTER_IS_ARGUMENT_5(cookie) (((cookie) >> 24) & 1)
#define COOKIE_LINK(cookie) ((unsigned int)((cookie) >> 32))

// What links on the same code have in common: one image under two mounts.  agent/capture/link_ids.py
#define CODE_OF(link) ((link) >> 12)

// Exported as podtab_capture_kernel_events_total{event=…}: agent/capture/records.py, COUNTERS, in this order.
enum counter {
    RECORDS_DROPPED = 0,       // ring full; their bytes are in RING_LOST_BYTES
    RING_LOST_BYTES = 1,
    UNCOPIED_BYTES = 2,        // beyond what one call may copy
    UNREADABLE_BYTES = 3,      // the buffer was not in memory
    IGNORED_BYTES = 4,         // of connections judged not ours
    UNSELECTED_BYTES = 5,      // of cgroups that are not selected
    THREADS_MAP_FULL = 6,
    CONNECTIONS_MAP_FULL = 7,  // the call's bytes are in RING_LOST_BYTES
    COUNT_UNREADABLE = 8,
    DUPLICATE_HITS = 9,        // a second link on the same code; harmless
    TAKEN_OVER_CALLS = 10,     // the link that opened calls is gone, another took its place
    RETURNS_WITHOUT_ENTRY = 11,  // attached in mid-call
    CAPTURED_BYTES = 12,
    SELFTEST_HITS = 13,        // of the probe on our own child
    CONNECTION_UNREADABLE = 14,  // whose bytes they are could not be read: Go, rustls
    LATE_CLOSES = 15,          // of a descriptor that the next connection had already; harmless
    DESCRIPTORS_UNREADABLE = 16,  // Go: not a socket's, or not where known compilers put it
    CONNECTIONS_LEFT_BEHIND = 17,  // their probes went before their ends, and others came; harmless
    PACKETS_AMBIGUOUS = 18,    // records that would fit writes of two connections: neither is told of the socket
    HELLOS_DROPPED = 19,       // ring full; a packet that opens TLS was not told, unless it is sent again
    HELLOS_UNTOLD = 20,        // more of a group than may be told in a second
    COUNTERS_LENGTH = 21,
};
