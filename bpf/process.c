// Births and deaths of processes, from raw tracepoints: they need no tracefs, and no kernel struct is read.

static __always_inline int tell_process(u32 tgid, u8 kind)
{
    struct record *record = records.ringbuf_reserve(sizeof(struct record));
    if (!record) {
        count(RECORDS_DROPPED, 1);
        return 0;
    }
    __builtin_memset(record, 0, sizeof(*record));
    record->at_ns = bpf_ktime_get_ns();
    record->tgid = tgid;
    record->cgroup_id = bpf_get_current_cgroup_id();
    record->kind = kind;
    records.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
    return 0;
}

// TP_PROTO(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm): a thread that calls exec takes the process's id,
// and its old id names nobody any more.
int process_exec(struct bpf_raw_tracepoint_args *ctx)
{
    u64 id = bpf_get_current_pid_tgid();
    u64 before = (id & 0xffffffff00000000ULL) | (u32)ctx->args[1];
    threads.delete(&id);
    threads.delete(&before);
    return tell_process(id >> 32, RECORD_PROCESS_EXEC);
}

int process_exit(struct bpf_raw_tracepoint_args *ctx)
{
    u64 id = bpf_get_current_pid_tgid();
    threads.delete(&id);
#ifdef PACKETS
    u64 task = bpf_get_current_task();
    pendings.delete(&task);
#endif
    if ((u32)id != id >> 32)
        return 0;  // a thread, not the process
    return tell_process(id >> 32, RECORD_PROCESS_EXIT);
}
