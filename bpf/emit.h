// Copying a call's bytes into ring records.
#pragma once

// Room is reserved in the ring itself, in the smallest of four classes: no scratch that a preempting program could overwrite,
// and a small read does not cost a large reservation.  The largest class is a whole TLS record (RFC 8446, 5.1).
#define CLASS_0 256
#define CLASS_1 1024
#define CLASS_2 4096
#define CLASS_3 16384

// Sizes have to reach the verifier as a compare that it follows; without the barrier clang folds it away.
#define CLAMP(size, limit)              \
    asm volatile("" : "+r"(size));      \
    if (size > (limit))                 \
        size = (limit);                 \
    asm volatile("" : "+r"(size))

// Copies a value onto itself, so that the verifier forgets what it has deduced of it: else it follows every path of every step apart, before 6.8
// more of them, and a million instructions are too few.
#define FORGET(value) bpf_probe_read_kernel(&(value), sizeof(value), &(value))

struct moved {
    struct conn_key key;
    struct conn *conn;
    u64 buffer;
    u64 cgroup_id;
    u64 position;
    u8 direction;
};

static __always_inline void fill(struct record *record, const struct moved *moved, u64 size, u64 lost)
{
    record->at_ns = bpf_ktime_get_ns();
    record->ssl = moved->key.ssl;
    record->born_ns = moved->conn->born_ns;
    record->cgroup_id = moved->cgroup_id;
    record->position = moved->position;
    record->lost = lost;
    record->tgid = moved->key.tgid;
    record->size = size;
    record->kind = RECORD_DATA;
    record->direction = moved->direction;
}

// What can't be copied is counted, and shows up for user space as a jump of the position.
static __always_inline void copy_into(struct record *record, const struct moved *moved, u64 size, u64 lost, u64 limit)
{
    fill(record, moved, size, lost);
    // The size comes back from the record, as 1 to limit by arithmetic.  Verifiers before 6.8 lose a compare's bounds on paths that can't be
    // taken, and a size they have to follow from the call's own keeps the paths of every part apart: a million instructions are too few.
    u64 copied = *(volatile u32 *)&record->size - 1;
    copied = (copied & (limit - 1)) + 1;
    if (bpf_probe_read_user((void *)(record + 1), copied, (void *)moved->buffer)) {
        count(UNREADABLE_BYTES, size);
        fill(record, moved, 0, size + lost);
        return;
    }
    count(CAPTURED_BYTES, size);
}

// BCC wants map calls spelled out: one reservation a class.
static __always_inline void emit_part(const struct moved *moved, u64 size, u64 lost)
{
    struct record *record;
    if (size <= CLASS_0) {
        record = records.ringbuf_reserve(sizeof(struct record) + CLASS_0);
        if (!record)
            goto dropped;
        copy_into(record, moved, size, lost, CLASS_0);
    } else if (size <= CLASS_1) {
        record = records.ringbuf_reserve(sizeof(struct record) + CLASS_1);
        if (!record)
            goto dropped;
        copy_into(record, moved, size, lost, CLASS_1);
    } else if (size <= CLASS_2) {
        record = records.ringbuf_reserve(sizeof(struct record) + CLASS_2);
        if (!record)
            goto dropped;
        copy_into(record, moved, size, lost, CLASS_2);
    } else {
        record = records.ringbuf_reserve(sizeof(struct record) + CLASS_3);
        if (!record)
            goto dropped;
        copy_into(record, moved, size, lost, CLASS_3);
    }
    records.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
    return;
dropped:
    count(RECORDS_DROPPED, 1);
    count(RING_LOST_BYTES, size);
}

static __always_inline void emit_bytes(struct moved *moved, u64 size)
{
    u64 left = size;
    // A client writes a whole request body in one call; MAX_PARTS of them cover the usual ones.
    for (int part = 0; part < MAX_PARTS; part++) {
        if (part)
            FORGET(left);
        u64 now = left;
        CLAMP(now, CLASS_3);
        u64 after = left - now;
        u64 lost = part == MAX_PARTS - 1 ? after : 0;
        if (lost)
            count(UNCOPIED_BYTES, lost);
        emit_part(moved, now, lost);
        if (!after)
            return;
        left = after;
        moved->buffer += now;
        moved->position += now;
    }
}
