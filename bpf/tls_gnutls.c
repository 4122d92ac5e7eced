// GnuTLS: gnutls_record_recv and gnutls_record_send have SSL_read's arguments and result, so tls_openssl.c's programs serve them.
// What is its own: a corked session takes bytes with gnutls_record_send, and gnutls_record_uncork hands the same bytes to
// gnutls_record_send again.  They count where the application wrote them, so sends inside an uncork are dropped.

int flush_entry(struct pt_regs *ctx) { return entry(ctx, SENT, CALL_FLUSH); }

int flush_return(struct pt_regs *ctx)
{
    u64 id = bpf_get_current_pid_tgid();
    struct thread *thread = threads.lookup(&id);
    if (!thread)
        return 0;
    struct call *call = returning(thread, SENT, PT_REGS_SP(ctx));
    if (call->active == CALL_FLUSH && call->link == COOKIE_LINK(cookie_of(ctx)))
        call->active = CALL_NONE;
    return 0;
}
