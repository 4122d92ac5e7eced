// Go's crypto/tls, in the middle of its calls: agent/capture/go_code.py says where, and why everything is known there.  Nothing is remembered
// between two probes, so goroutines may change threads and stacks may move.

// Go's calls pass arguments in registers of their own choice (cmd/compile/abi-internal.md).
#ifdef bpf_target_arm64
#define GO_ARGUMENT_1(ctx) ((ctx)->regs[0])
#define GO_ARGUMENT_2(ctx) ((ctx)->regs[1])
#define GO_ARGUMENT_3(ctx) ((ctx)->regs[2])
#define GO_ARGUMENT_4(ctx) ((ctx)->regs[3])
#else
#define GO_ARGUMENT_1(ctx) ((ctx)->ax)
#define GO_ARGUMENT_2(ctx) ((ctx)->bx)
#define GO_ARGUMENT_3(ctx) ((ctx)->cx)
#define GO_ARGUMENT_4(ctx) ((ctx)->di)
#endif

// Two links on the same code (one image under two mounts) fire for the same call: where no call is remembered, a connection belongs to the one that
// saw it first, as long as that is in place.
static __always_inline bool belongs_to_another(struct conn *conn, u32 link)
{
    if (!conn || conn->link == link)
        return 0;
    u32 owner = conn->link;
    if (links.lookup(&owner)) {
        count(DUPLICATE_HITS, 1);
        return 1;
    }
    conn->link = link;
    count(TAKEN_OVER_CALLS, 1);
    return 0;
}

// Where Go has a socket's descriptor, behind the pointers tls.Conn.conn → net.TCPConn.fd → net.netFD: at the same places in
// every version from 1.17 to 1.26 (asked by reflection; tests/kernel/test_peer.py runs two of them).  A connection inside another, or of the program's own kind, has something else there.
struct go_interface {
    u64 type;
    u64 data;
};

struct go_net_fd {
    u64 lock[2];
    s64 descriptor;
    u64 poll[4];
    s64 family;
    s64 socket_type;
};

#define GO_FAMILY_INET 2
#define GO_FAMILY_INET6 10
#define GO_SOCK_STREAM 1
#define MAX_GO_DESCRIPTOR 0x7fffffff

static __always_inline void go_descriptor(struct conn_key *key)
{
    struct go_interface conn = {};
    u64 fd = 0;
    struct go_net_fd net_fd = {};
    if (bpf_probe_read_user(&conn, sizeof(conn), (void *)key->ssl) || bpf_probe_read_user(&fd, sizeof(fd), (void *)conn.data) ||
        bpf_probe_read_user(&net_fd, sizeof(net_fd), (void *)fd) || net_fd.socket_type != GO_SOCK_STREAM ||
        (net_fd.family != GO_FAMILY_INET && net_fd.family != GO_FAMILY_INET6) || net_fd.descriptor < 0 ||
        net_fd.descriptor > MAX_GO_DESCRIPTOR) {
        count(DESCRIPTORS_UNREADABLE, 1);
        return;
    }
    tell_descriptor(key, net_fd.descriptor, HOW_MEMORY);
}

static __always_inline int go_moved(u64 cookie, u64 pointer, u64 buffer, u64 size, u32 direction)
{
    if (!size)
        return 0;
    u32 link = COOKIE_LINK(cookie);
    struct moved moved = {.buffer = buffer, .direction = direction};
    moved.key.ssl = pointer;
    moved.key.tgid = bpf_get_current_pid_tgid() >> 32;
    moved.conn = connection_of(&moved.key, link, 0);
    if (belongs_to_another(moved.conn, link))
        return 0;
    // A client writes first.
    if (direction == SENT && moved.conn && !moved.conn->position[SENT])
        go_descriptor(&moved.key);
    account(&moved, size);
    return 0;
}

// At Write's call of writeRecordLocked(connection, type, data, length): before anything is sent, so the request comes before its answer also where
// another thread reads that one.  What fails after this is the connection's last: Go makes every error of a write final.
int go_write(struct pt_regs *ctx)
{
    return go_moved(cookie_of(ctx), GO_ARGUMENT_1(ctx), GO_ARGUMENT_3(ctx), GO_ARGUMENT_4(ctx), SENT);
}

// Where Read's prologue put its receiver and, beside it, the caller's buffer.
struct go_receiver {
    u64 pointer;
    u64 buffer;
};

static __always_inline int go_receiver_of(struct pt_regs *ctx, u64 cookie, struct go_receiver *receiver)
{
    if (!bpf_probe_read_user(receiver, sizeof(*receiver), (void *)(PT_REGS_SP(ctx) + COOKIE_STACK_OFFSET(cookie))))
        return 1;
    count(CONNECTION_UNREADABLE, 1);
    return 0;
}

// At Read's call of memmove(to, from, length).
int go_read(struct pt_regs *ctx)
{
    u64 cookie = cookie_of(ctx);
    struct go_receiver receiver = {};
    if (!go_receiver_of(ctx, cookie, &receiver))
        return 0;
    return go_moved(cookie, receiver.pointer, GO_ARGUMENT_2(ctx), GO_ARGUMENT_3(ctx), RECEIVED);
}

// At the jump behind Read's call of bytes.(*Reader).Read, whose result stands where a first argument does.
int go_read_result(struct pt_regs *ctx)
{
    u64 cookie = cookie_of(ctx);
    struct go_receiver receiver = {};
    if (!go_receiver_of(ctx, cookie, &receiver))
        return 0;
    return go_moved(cookie, receiver.pointer, receiver.buffer, GO_ARGUMENT_1(ctx), RECEIVED);
}

// Close ends a connection.  So does a handshake on its pointer: a read that was overtaken by Close has left the pointer behind, and a connection
// that nobody closed was collected as garbage.
int go_end(struct pt_regs *ctx) { return end_connection(GO_ARGUMENT_1(ctx)); }
