// Plaintext on sockets: HTTP to models and gateways inside the cluster, which no TLS library sees.  One raw tracepoint at the end of every system
// call of the machine, so it is compiled and attached only where it is asked for (-DPLAINTEXT), and leaves by the shortest way.  The arguments
// come from the registers that the system call was made with, and the tracepoint brings its result.  io_uring makes no such calls: not seen.
#ifdef PLAINTEXT

// What we need of struct pt_regs, as far as that is the same in every kernel from 5.8.
#ifdef bpf_target_arm64
// Of its 31 registers the first four: all of them are half of the stack.
struct registers {
    u64 x[4];
    u64 pstate, argument_1;  // from here on as it stands behind them
    s32 number;
    u32 pad;
};
#define PSTATE_AT 264
static __always_inline int read_registers(struct registers *registers, u64 at)
{
    return bpf_probe_read_kernel(registers->x, sizeof(registers->x), (void *)at)
           || bpf_probe_read_kernel(&registers->pstate, sizeof(*registers) - sizeof(registers->x), (void *)(at + PSTATE_AT));
}
#define ARGUMENT_1(registers) ((registers).argument_1)
#define ARGUMENT_2(registers) ((registers).x[1])
#define ARGUMENT_3(registers) ((registers).x[2])
#define ARGUMENT_4(registers) ((registers).x[3])
#define IS_64_BIT(registers) (!((registers).pstate & 0x10))
enum system_call {
    SYS_DUP = 23, SYS_DUP3 = 24, SYS_FCNTL = 25, SYS_CLOSE = 57, SYS_READ = 63, SYS_WRITE = 64, SYS_READV = 65, SYS_WRITEV = 66,
    SYS_SENDFILE = 71, SYS_SPLICE = 76, SYS_SOCKET = 198, SYS_ACCEPT = 202, SYS_CONNECT = 203, SYS_SENDTO = 206, SYS_RECVFROM = 207,
    SYS_SENDMSG = 211, SYS_RECVMSG = 212, SYS_ACCEPT4 = 242,
};
#else
struct registers {
    u64 r10, r9, r8, ax, cx, dx, si, di, number, ip, cs;
};
#define R10_AT 56
static __always_inline int read_registers(struct registers *registers, u64 at)
{
    return bpf_probe_read_kernel(registers, sizeof(*registers), (void *)(at + R10_AT));
}
#define ARGUMENT_1(registers) ((registers).di)
#define ARGUMENT_2(registers) ((registers).si)
#define ARGUMENT_3(registers) ((registers).dx)
#define ARGUMENT_4(registers) ((registers).r10)
#define IS_64_BIT(registers) ((registers).cs == 0x33)
enum system_call {
    SYS_READ = 0, SYS_WRITE = 1, SYS_CLOSE = 3, SYS_READV = 19, SYS_WRITEV = 20, SYS_DUP = 32, SYS_DUP2 = 33, SYS_SENDFILE = 40,
    SYS_SOCKET = 41, SYS_CONNECT = 42, SYS_ACCEPT = 43, SYS_SENDTO = 44, SYS_RECVFROM = 45, SYS_SENDMSG = 46, SYS_RECVMSG = 47,
    SYS_FCNTL = 72, SYS_SPLICE = 275, SYS_ACCEPT4 = 288, SYS_DUP3 = 292,
};
#endif

#define IN_PROGRESS (-115)  // EINPROGRESS: a connect that does not wait
#define ONLY_LOOKS 0x2003   // MSG_OOB, MSG_PEEK, MSG_ERRQUEUE: no bytes of the stream were taken
#define THROWS_AWAY 0x20    // MSG_TRUNC: they were, but nobody got them
#define F_DUPFD 0
#define F_DUPFD_CLOEXEC 1030
#define FAMILY_INET 2
#define FAMILY_INET6 10
// More pieces than this in one call are rare: Go's and Node's HTTP clients use two or three.
#define MAX_PIECES 16
// Of the records that one call may fill: more steps than these and those pieces, and verifiers before 6.8 give up.
#if MAX_PARTS > 16
#define PLAIN_PARTS 16
#else
#define PLAIN_PARTS MAX_PARTS
#endif
// A close is over only after its descriptor can belong to the next connection already.  One that has been asked something and has not been answered
// within this time after it was born is that next one.
#define LATE_CLOSE_NS 10000000

struct piece {
    u64 at, size;
};

struct transfer {
    u64 descriptor;
    u64 buffer;       // or, with `pieces`, where they are listed
    u64 pieces;       // 0: the buffer is the one piece
    u64 unreadable;   // the bytes never were in this process's memory
    u64 size;
    u64 direction;
    u64 is_socket;
};

// POST, GET and the others that a connection to an API may begin with; HTTP/2's preface.  Four bytes: user space looks at the rest.
static __always_inline int begins_request(u64 buffer, u64 size)
{
    u32 word = 0;
    if (size < sizeof(word) || bpf_probe_read_user(&word, sizeof(word), (void *)buffer))
        return 0;
    switch (word) {
    case 0x54534f50:  // POST
    case 0x20544547:  // GET
    case 0x20545550:  // PUT
    case 0x44414548:  // HEAD
    case 0x454c4544:  // DELE
    case 0x4954504f:  // OPTI
    case 0x20495250:  // PRI
        return 1;
    }
    return 0;
}

// Tells of a connection before its first bytes.  If there is no room for it, user space finds out by itself.
static __always_inline void tell_opened(struct conn_key *key, struct conn *conn, struct peer *peer, u32 is_socket)
{
    struct record *record = records.ringbuf_reserve(sizeof(struct record) + sizeof(struct opened));
    if (!record) {
        count(RECORDS_DROPPED, 1);
        return;
    }
    __builtin_memset(record, 0, sizeof(*record) + sizeof(struct opened));
    record->at_ns = bpf_ktime_get_ns();
    record->ssl = key->ssl;
    record->born_ns = conn->born_ns;
    record->tgid = key->tgid;
    record->size = sizeof(struct opened);
    record->kind = RECORD_OPENED;
    struct opened *opened = (void *)(record + 1);
    opened->is_socket = is_socket;
    if (peer) {
        opened->is_socket = 1;
        opened->peer = *peer;
    }
    records.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

// Unselected groups, other ports and everything that does not begin with a request stay unknown: the next call is a first one again.  That is
// one look, needs no memory, and a descriptor can't be judged by what it was before.
static __always_inline struct conn *first_look(struct conn_key *key, u64 cgroup_id, u32 is_socket)
{
    u32 zero = 0, *groups = unselected_count.lookup(&zero);
    if (groups && *groups && unselected.lookup(&cgroup_id))
        return 0;
    struct peer *peer = peers.lookup(key);
#ifdef PLAINTEXT_PORTS
    if (peer) {
        u32 port = peer->port;
        if (!plain_ports.lookup(&port))
            return 0;
    }
#endif
    struct conn *conn = begun(key, 0, 0);
    if (conn)
        tell_opened(key, conn, peer, is_socket);
    else
        count(CONNECTIONS_MAP_FULL, 1);
    return conn;
}

static __always_inline void emit_lost(const struct moved *moved, u64 size)
{
    struct record *record = records.ringbuf_reserve(sizeof(struct record));
    count(UNCOPIED_BYTES, size);
    if (!record) {
        count(RECORDS_DROPPED, 1);
        return;
    }
    fill(record, moved, 0, size);
    records.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

// Where a walk over a call's pieces is.
struct walk {
    u64 left;      // of the call
    u64 room;      // of the piece
    u64 buffer;
    u64 position;
    u64 listed;    // where the next piece is named
    u64 number;    // of pieces to come
    u64 direction;
};

// As emit_bytes, over the pieces of one call; what is beyond the bounds is told as lost.
static __always_inline void emit_pieces(struct moved *moved, const struct transfer *transfer)
{
    struct walk walk = {
        .left = transfer->size,
        .room = transfer->pieces || transfer->unreadable ? 0 : transfer->size,
        .buffer = transfer->buffer,
        .position = moved->position,
        .listed = transfer->buffer,
        .number = transfer->unreadable ? 0 : transfer->pieces,
        .direction = transfer->direction,
    };
    for (int step = 0; step < PLAIN_PARTS + MAX_PIECES; step++) {
        FORGET(walk);
        moved->direction = walk.direction;
        if (!walk.room) {
            struct piece piece = {};
            if (!walk.number || bpf_probe_read_user(&piece, sizeof(piece), (void *)walk.listed))
                break;
            walk.number--;
            walk.listed += sizeof(piece);
            walk.buffer = piece.at;
            walk.room = piece.size;
            if (!walk.room)
                continue;
        }
        u64 now = walk.left < walk.room ? walk.left : walk.room;
        CLAMP(now, CLASS_3);
        moved->buffer = walk.buffer;
        moved->position = walk.position;
        emit_part(moved, now, 0);
        walk.left -= now;
        walk.room -= now;
        walk.buffer += now;
        walk.position += now;
        if (!walk.left)
            return;
    }
    moved->position = walk.position;
    emit_lost(moved, walk.left);
}

static __always_inline int transferred(struct transfer *transfer)
{
    struct moved moved = {};
    moved.key.ssl = PLAIN_POINTER | transfer->descriptor;
    moved.key.tgid = bpf_get_current_pid_tgid() >> 32;
    moved.conn = connections.lookup(&moved.key);
    if (!moved.conn) {
        if (transfer->direction != SENT || transfer->unreadable)
            return 0;
        struct piece first = {.at = transfer->buffer, .size = transfer->size};
        if (transfer->pieces && bpf_probe_read_user(&first, sizeof(first), (void *)transfer->buffer))
            return 0;
        if (!begins_request(first.at, first.size))
            return 0;
        moved.conn = first_look(&moved.key, bpf_get_current_cgroup_id(), transfer->is_socket);
        if (!moved.conn)
            return 0;
    }
    FORGET(*transfer);
    moved.position = moved.conn->position[transfer->direction & 1];
    moved.conn->position[transfer->direction & 1] = moved.position + transfer->size;
    if (judgement_of(&moved.key, moved.conn) == IGNORE) {
        count(IGNORED_BYTES, transfer->size);
        return 0;
    }
    moved.cgroup_id = bpf_get_current_cgroup_id();
    emit_pieces(&moved, transfer);
    return 0;
}

// A descriptor is, or is about to be, another file.
static __always_inline int descriptor_ends(u64 descriptor)
{
    struct conn_key key = {.ssl = PLAIN_POINTER | descriptor, .tgid = bpf_get_current_pid_tgid() >> 32};
    peers.delete(&key);
    return end_without_descriptor(key.ssl);
}

static __always_inline int closed(u64 descriptor)
{
    struct conn_key key = {.ssl = PLAIN_POINTER | descriptor, .tgid = bpf_get_current_pid_tgid() >> 32};
    struct conn *conn = connections.lookup(&key);
    if (!conn)
        return 0;
    if (!conn->position[RECEIVED] && bpf_ktime_get_ns() - conn->born_ns < LATE_CLOSE_NS) {
        count(LATE_CLOSES, 1);
        return 0;
    }
    return descriptor_ends(descriptor);
}

static __always_inline int connected(u64 descriptor, u64 address)
{
    descriptor_ends(descriptor);
    struct conn_key key = {.ssl = PLAIN_POINTER | descriptor, .tgid = bpf_get_current_pid_tgid() >> 32};
    struct peer peer = {};
    u16 words[2] = {};  // family, port in network order
    if (bpf_probe_read_user(words, sizeof(words), (void *)address))
        return 0;
    peer.family = words[0];
    u32 unreadable = 0;
    if (peer.family == FAMILY_INET)
        unreadable = bpf_probe_read_user(peer.address, 4, (void *)(address + 4));
    else if (peer.family == FAMILY_INET6)
        unreadable = bpf_probe_read_user(peer.address, 16, (void *)(address + 8));
    else
        words[1] = 0;
    if (unreadable)
        return 0;
    peer.port = (u16)(words[1] >> 8 | words[1] << 8);
    peers.update(&key, &peer);
    return 0;
}

// TP_PROTO(struct pt_regs *regs, long ret)
int syscall_exit(struct bpf_raw_tracepoint_args *ctx)
{
    s64 result = ctx->args[1];
    if (result < 0 && result != IN_PROGRESS)
        return 0;
    struct registers registers;
    if (read_registers(&registers, ctx->args[0]))
        return 0;
    if (!IS_64_BIT(registers))
        return 0;  // its system calls have other numbers
    struct transfer transfer = {.descriptor = (u32)ARGUMENT_1(registers), .buffer = ARGUMENT_2(registers), .direction = SENT, .is_socket = 1};
    u64 flags = 0;
    switch ((u32)registers.number) {
    case SYS_READ:
        transfer.direction = RECEIVED;  // and on
    case SYS_WRITE:
        transfer.is_socket = 0;
        break;
    case SYS_READV:
        transfer.direction = RECEIVED;  // and on
    case SYS_WRITEV:
        transfer.is_socket = 0;
        transfer.pieces = ARGUMENT_3(registers);
        break;
    case SYS_RECVFROM:
        transfer.direction = RECEIVED;
        flags = ARGUMENT_4(registers);
        break;
    case SYS_SENDTO:
        break;
    case SYS_RECVMSG:
        transfer.direction = RECEIVED;
        flags = ARGUMENT_3(registers);  // and on
    case SYS_SENDMSG: {
        struct piece listed = {};  // msghdr: name, its length, then where the pieces are listed and how many
        if (bpf_probe_read_user(&listed, sizeof(listed), (void *)(transfer.buffer + 16)))
            return 0;
        transfer.buffer = listed.at;
        transfer.pieces = listed.size;
        break;
    }
    case SYS_SPLICE:
        transfer.descriptor = (u32)ARGUMENT_3(registers);  // and on
    case SYS_SENDFILE:
        transfer.unreadable = 1;
        break;
    case SYS_CLOSE:
        return closed(transfer.descriptor);
    case SYS_CONNECT:
        return connected(transfer.descriptor, transfer.buffer);
    case SYS_FCNTL:
        if (ARGUMENT_2(registers) != F_DUPFD && ARGUMENT_2(registers) != F_DUPFD_CLOEXEC)
            return 0;
    case SYS_DUP:
#ifndef bpf_target_arm64
    case SYS_DUP2:
#endif
    case SYS_DUP3:
    case SYS_SOCKET:
    case SYS_ACCEPT:
    case SYS_ACCEPT4:
        return descriptor_ends((u32)result);
    default:
        return 0;
    }
    if (result <= 0 || flags & ONLY_LOOKS)
        return 0;
    transfer.unreadable |= !!(flags & THROWS_AWAY);
    transfer.size = result;
    return transferred(&transfer);
}

#endif
