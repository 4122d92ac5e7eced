// rustls: what its ciphers are given to encrypt, and what its connections are given that was decrypted.  agent/capture/rust_code.py says where, why
// nothing passes by, and which layouts there are.  A connection is known by the cipher that it encrypts with, so both directions are one.
// As for Go all is known at once: nothing is remembered between two probes.

// Of a message's type, rustls' enum ContentType; on the wire they are 21 and 23.
#define RUSTLS_ALERT 1
#define RUSTLS_APPLICATION_DATA 3
// Of its version, enum ProtocolVersion: TLS 1.2, which is also what TLS 1.3 says of application data.
#define RUSTLS_TLS12 4
#define RUSTLS_MAX_RECORD 16384  // RFC 8446, 5.1: a larger message is none, so the layout is not what it was taken for
#define RUSTLS_TAG(cookie) (COOKIE_STACK_OFFSET(cookie) & 7)
#define RUSTLS_CIPHER_OFFSET(cookie) (COOKIE_STACK_OFFSET(cookie) & ~7ULL)
#define RUSTLS_NO_VECTOR (1ULL << 63)  // where a vector's capacity would be
// What one vectored write hands over: hyper and h2 have at most 64 slices.
#define RUSTLS_MAX_SLICES 64

struct rustls_slice {
    u64 address;
    u64 size;
};

struct rustls_kind {
    u8 type;
    u8 unknown;
    u16 version;
    u32 pad;
};

static __always_inline int rustls_unreadable(void)
{
    count(CONNECTION_UNREADABLE, 1);
    return 0;
}

// The connection, or nothing where another link on the same code has this call already.
static __always_inline bool rustls_claim(struct moved *moved, u64 cipher, u32 link)
{
    moved->key.ssl = cipher;
    moved->key.tgid = bpf_get_current_pid_tgid() >> 32;
    moved->conn = connection_of(&moved->key, link, 0);
    return !belongs_to_another(moved->conn, link);
}

// At most a record, so it fits into one of ours.
static __always_inline void rustls_account(struct moved *moved, u64 address, u64 size)
{
    CLAMP(size, RUSTLS_MAX_RECORD);
    moved->buffer = address;
    if (is_wanted(moved, size))
        emit_part(moved, size, 0);
}

// The end of a connection is an alert.  Where nobody said that, the next one with a cipher at this address begins, and its cipher counts from 0.
// What was received before anything was sent is the same connection's: some servers speak first.
static __always_inline void rustls_ends(u64 cipher, u32 link, u64 number, u8 type, u64 alert)
{
    u8 said[2] = {};  // level, description
    if (number) {
        if (type != RUSTLS_ALERT || bpf_probe_read_user(said, sizeof(said), (void *)alert))
            return;
        if (said[0] != 2 && said[1] != 0)  // neither fatal nor close_notify
            return;
    }
    struct conn_key key = {.ssl = cipher, .tgid = bpf_get_current_pid_tgid() >> 32};
    struct conn *conn = connections.lookup(&key);
    if (conn && (number || conn->position[SENT]) && !belongs_to_another(conn, link))
        end_connection(cipher);
}

// A cipher's encrypt(result, cipher, message, number).
int rustls_send_slice(struct pt_regs *ctx)
{
    struct {
        struct rustls_slice slice;
        struct rustls_kind kind;
    } message = {};
    u64 cipher = PT_REGS_PARM2(ctx), from = PT_REGS_PARM3(ctx), number = PT_REGS_PARM4(ctx);
    u32 link = COOKIE_LINK(cookie_of(ctx));
    if (bpf_probe_read_user(&message, sizeof(message), (void *)from))
        return rustls_unreadable();
    rustls_ends(cipher, link, number, message.kind.type, message.slice.address);
    if (message.kind.type != RUSTLS_APPLICATION_DATA || !message.slice.size)
        return 0;
    if (message.kind.version != RUSTLS_TLS12 || message.slice.size > RUSTLS_MAX_RECORD)
        return rustls_unreadable();
    struct moved moved = {.direction = SENT};
    if (!rustls_claim(&moved, cipher, link))
        return 0;
    note_moved(&moved, message.slice.size);
    rustls_account(&moved, message.slice.address, message.slice.size);
    return 0;
}

// The same, of a part of many slices laid end to end: where their list is null, one slice stands behind it.
int rustls_send_slices(struct pt_regs *ctx)
{
    struct {
        u64 list;
        u64 length;
        u64 start;
        u64 end;
        struct rustls_kind kind;
    } message = {};
    u64 cipher = PT_REGS_PARM2(ctx), from = PT_REGS_PARM3(ctx), number = PT_REGS_PARM4(ctx);
    u32 link = COOKIE_LINK(cookie_of(ctx));
    if (bpf_probe_read_user(&message, sizeof(message), (void *)from))
        return rustls_unreadable();
    rustls_ends(cipher, link, number, message.kind.type, message.list ? 0 : message.length);
    u64 size = message.list ? message.end - message.start : message.start;
    if (message.kind.type != RUSTLS_APPLICATION_DATA || !size)
        return 0;
    if (message.kind.version != RUSTLS_TLS12 || size > RUSTLS_MAX_RECORD)
        return rustls_unreadable();
    struct moved moved = {.direction = SENT};
    if (!rustls_claim(&moved, cipher, link))
        return 0;
    note_moved(&moved, size);
    // Of a connection that isn't ours no slice is looked at: its bytes are only counted.
    if (!message.list || (moved.conn && judgement_of(&moved.key, moved.conn) == IGNORE)) {
        rustls_account(&moved, message.length, size);
        return 0;
    }
    u64 at = 0, done = 0;
#pragma nounroll
    for (u32 index = 0; index < RUSTLS_MAX_SLICES; index++) {
        struct rustls_slice slice = {};
        if (index >= message.length || done >= size)
            break;
        if (bpf_probe_read_user(&slice, sizeof(slice), (void *)(message.list + index * sizeof(slice))))
            break;
        u64 before = at < message.start ? message.start - at : 0;  // of this slice, in an earlier record
        at += slice.size;
        if (before >= slice.size)
            continue;
        u64 now = slice.size - before, left = size - done;
        if (now > left)
            now = left;
        done += now;
        rustls_account(&moved, slice.address + before, now);
    }
    if (done < size)
        rustls_account(&moved, 0, size - done);  // more slices than are looked at: bytes that can't be read, not none
    return 0;
}

// ExpectTraffic::handle(result, state, context, message): the context begins with the connection.
int rustls_receive(struct pt_regs *ctx)
{
    u64 cookie = cookie_of(ctx), context = PT_REGS_PARM3(ctx), from = PT_REGS_PARM4(ctx);
    struct {
        u64 tag;
        u64 capacity;
        struct rustls_slice slice;
    } message = {};
    if (bpf_probe_read_user(&message, sizeof(message), (void *)from))
        return rustls_unreadable();
    if (message.tag != RUSTLS_NO_VECTOR + RUSTLS_TAG(cookie) || !message.slice.size)
        return 0;
    u64 connection = 0, cipher = 0;
    // Bytes are owned, in a vector, or borrowed.
    if (message.slice.size > RUSTLS_MAX_RECORD ||
        (message.capacity != RUSTLS_NO_VECTOR && message.capacity < message.slice.size) ||
        bpf_probe_read_user(&connection, sizeof(connection), (void *)context) ||
        bpf_probe_read_user(&cipher, sizeof(cipher), (void *)(connection + RUSTLS_CIPHER_OFFSET(cookie))))
        return rustls_unreadable();
    struct moved moved = {.direction = RECEIVED};
    if (rustls_claim(&moved, cipher, COOKIE_LINK(cookie)))
        rustls_account(&moved, message.slice.address, message.slice.size);
    return 0;
}
