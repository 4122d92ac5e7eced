// OpenSSL 1.1 and 3.x, and whoever exports the same functions (Node.js): SSL_read, SSL_write, their _ex forms, SSL_free,
// SSL_shutdown.  Which instruction a program sits on, and where the count is there, is the site chooser's business
// (agent/capture/sites.py); the cookie brings it here.

// Whether a call that begins now belongs to an open one's work: its BIO reads and writes another connection.  A call that was
// left open for good (a jump out of it) may look so too; then it keeps its place, and nothing else.
static __always_inline bool is_inside(struct call *outer, u64 ssl, u32 link, u64 stack)
{
    return outer->active && outer->ssl != ssl && stack < outer->stack &&
           (outer->link == link || links.lookup(&outer->link));
}

static __always_inline u64 distance(u64 a, u64 b) { return a < b ? b - a : a - b; }

// The open call that returns now: the one that began where the stack is again.  They differ by all frames in between.
static __always_inline struct call *returning(struct thread *thread, u32 direction, u64 stack)
{
    struct call *outer = &thread->calls[direction & 1], *inner = &thread->inner[direction & 1];
    if (inner->active && distance(stack, inner->stack) < distance(stack, outer->stack))
        return inner;
    return outer;
}

static __always_inline int entry(struct pt_regs *ctx, u32 direction, u32 state)
{
    u64 id = bpf_get_current_pid_tgid();
    u64 cookie = cookie_of(ctx);
    u32 link = COOKIE_LINK(cookie);
    struct thread *thread = threads.lookup(&id);
    if (!thread) {
        struct thread fresh = {};
        if (threads.update(&id, &fresh)) {
            count(THREADS_MAP_FULL, 1);
            return 0;
        }
        thread = threads.lookup(&id);
        if (!thread)
            return 0;
    }
    struct call *call = &thread->calls[direction & 1];
    u64 ssl = PT_REGS_PARM1(ctx), buffer = PT_REGS_PARM2(ctx), stack = PT_REGS_SP(ctx);
    if (is_inside(call, ssl, link, stack))
        call = &thread->inner[direction & 1];
    else
        thread->inner[direction & 1].active = CALL_NONE;
    if (call->active && call->link != link && call->ssl == ssl && call->buffer == buffer) {
        // Two links on the same code (one image under two mounts) fire for the same call: the first one's hit is the call.
        // Unless its probes are gone by now: then it left the call open, and this is another one.
        if (links.lookup(&call->link)) {
            count(DUPLICATE_HITS, 1);
            return 0;
        }
        count(TAKEN_OVER_CALLS, 1);
    }
    if (call->active == CALL_FLUSH && call->ssl == ssl && (call->link == link || links.lookup(&call->link)))
        return 0;  // inside the flush; its return ends it, or its link's end
    call->ssl = ssl;
    call->buffer = buffer;
    call->stack = stack;
    // Both are read, behind a barrier each: clang would else compute the register's address, which the verifier refuses.
    u64 fourth = PT_REGS_PARM4(ctx), fifth = PT_REGS_PARM5(ctx);
    asm volatile("" : "+r"(fourth), "+r"(fifth));
    call->count_pointer = COOKIE_POINTER_IS_ARGUMENT_5(cookie) ? fifth : fourth;
    call->link = link;
    call->active = state;
    call->born_ns = direction == SENT && state == CALL_OPEN ? note_call(thread, ssl, id >> 32, PT_REGS_PARM3(ctx)) : 0;
    return 0;
}

static __always_inline u64 count_of(struct pt_regs *ctx, const struct call *call, u64 cookie, u32 fallback)
{
    s32 result = (s32)PT_REGS_RC(ctx);
    if (result <= 0)
        return 0;
    u32 from = cookie ? COOKIE_COUNT(cookie) : fallback;
    if (from == COUNT_RESULT)
        return result;
    u64 where = from == COUNT_STACK ? PT_REGS_SP(ctx) + COOKIE_STACK_OFFSET(cookie) : call->count_pointer;
    u64 moved = 0;
    if (bpf_probe_read_user(&moved, sizeof(moved), (void *)where)) {
        count(COUNT_UNREADABLE, 1);
        return 0;
    }
    return moved;
}

static __always_inline int leave(struct pt_regs *ctx, u32 direction, u32 fallback)
{
    u64 id = bpf_get_current_pid_tgid();
    u64 cookie = cookie_of(ctx);
    struct thread *thread = threads.lookup(&id);
    if (!thread) {
        count(RETURNS_WITHOUT_ENTRY, 1);
        return 0;
    }
    struct call *call = returning(thread, direction, PT_REGS_SP(ctx));
    if (call->active != CALL_OPEN || call->link != COOKIE_LINK(cookie))
        return 0;
    call->active = CALL_NONE;

    u64 size = count_of(ctx, call, cookie, fallback);
    if (!size)
        return 0;
    struct moved moved = {.buffer = call->buffer, .direction = direction};
    moved.key.ssl = call->ssl;
    moved.key.tgid = id >> 32;
    moved.conn = connection_of(&moved.key, COOKIE_LINK(cookie), call->born_ns);
    account(&moved, size);
    if (direction == SENT)
        settle(thread, moved.conn, moved.key.ssl);
    return 0;
}

int read_entry(struct pt_regs *ctx) { return entry(ctx, RECEIVED, CALL_OPEN); }
int write_entry(struct pt_regs *ctx) { return entry(ctx, SENT, CALL_OPEN); }
int read_return(struct pt_regs *ctx) { return leave(ctx, RECEIVED, COUNT_RESULT); }
int write_return(struct pt_regs *ctx) { return leave(ctx, SENT, COUNT_RESULT); }
int read_return_ex(struct pt_regs *ctx) { return leave(ctx, RECEIVED, COUNT_POINTER); }
int write_return_ex(struct pt_regs *ctx) { return leave(ctx, SENT, COUNT_POINTER); }

static __always_inline int end_call(u64 ssl)
{
    unsettle(ssl);
    return end_connection(ssl);
}

int close_entry(struct pt_regs *ctx) { return end_call(PT_REGS_PARM1(ctx)); }

// SSL_new gives out an address: whatever connection had it before has ended, though nobody saw its end.
int open_return(struct pt_regs *ctx) { return end_call(PT_REGS_RC(ctx)); }

// SSL_set_fd and others' (connection, descriptor).  GnuTLS' gnutls_transport_set_ptr takes a pointer as well, to whatever its own functions use: nothing is
// mapped below 65,536, so what is smaller is a descriptor.
#define MAX_GIVEN 65536

int descriptor_entry(struct pt_regs *ctx)
{
    struct conn_key key = {.ssl = PT_REGS_PARM1(ctx), .tgid = bpf_get_current_pid_tgid() >> 32};
    u64 number = PT_REGS_PARM2(ctx);
    // Whatever was said before on this pointer went over another descriptor: that connection has ended.
    end_call(key.ssl);
    if (number < MAX_GIVEN)
        tell_descriptor(&key, number, HOW_GIVEN);
    return 0;
}

// Proof that the probe on our own child fired: agent/capture/selftest.py.
int selftest_probe(struct pt_regs *ctx)
{
    count(SELFTEST_HITS, 1);
    return 0;
}

// An empty program at the same sites: the yardstick of the benchmark and of the self-tests.
int empty_probe(struct pt_regs *ctx) { return 0; }
