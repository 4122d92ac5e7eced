// NSS: the TLS layer's receive and send (agent/capture/stacks/nss.py says how they are found) have SSL_read's arguments and result, and a
// fourth argument: a receive may only look at bytes that the next one gets again.

#define PR_MSG_PEEK 2  // NSPR's prio.h

int peekable_read_entry(struct pt_regs *ctx)
{
    u64 flags = PT_REGS_PARM4(ctx);
    if (flags & PR_MSG_PEEK)
        return 0;
    return entry(ctx, RECEIVED, CALL_OPEN);
}
