"""
bcc's sslsniff as Debian's bpfcc-tools installs it, made to work here: sslsniff.py LIBRARY [--ex] [its own options].

Without kernel headers it does not compile, so what it takes from them is put in their place; with --ex it also gets probes on OpenSSL's
``_ex`` functions, which CPython uses.  Its code is read from where it is installed, and changed in memory only.
"""

from __future__ import annotations

import sys
from pathlib import Path

INSTALLED = Path("/usr/sbin/sslsniff-bpfcc")
_HEADERS = "#include <linux/sched.h>        /* For TASK_COMM_LEN */"
_OWN_HEADERS = "#define TASK_COMM_LEN 16"
_SIZE = "u32 buf_copy_size = min((size_t)MAX_BUF_SIZE, (size_t)len);"
# The kernel's own min() is in headers that are not there, and the verifier has to follow the compare.
_OWN_SIZE = """u64 buf_copy_size = (u32)len;
        asm volatile("" : "+r"(buf_copy_size));
        if (buf_copy_size > MAX_BUF_SIZE)
                buf_copy_size = MAX_BUF_SIZE;
        asm volatile("" : "+r"(buf_copy_size));"""
# What a return of 1 means: the length is where the fourth argument points.
_EX_PROGRAMS = """
BPF_HASH(lengths, u32, u64);

int probe_SSL_ex_enter(struct pt_regs *ctx, void *ssl, void *buf, size_t num, size_t *done) {
        u32 tid = bpf_get_current_pid_tgid();
        u64 at = (u64)done;
        lengths.update(&tid, &at);
        return probe_SSL_rw_enter(ctx, ssl, buf, num);
}
"""
_RESULT = "int len = PT_REGS_RC(ctx);"
_EX_RESULT = """int len = PT_REGS_RC(ctx);
        u64 *lengthp = lengths.lookup(&tid);
        if (lengthp) {
                u64 moved = 0;
                bpf_probe_read_user(&moved, sizeof(moved), (void *)*lengthp);
                lengths.delete(&tid);
                len = len == 1 ? (int)moved : 0;
        }"""
_ATTACH = "    if args.latency and args.handshake:"
_EX_ATTACH = """    for name, way in (("SSL_read_ex", "read"), ("SSL_write_ex", "write")):
        b.attach_uprobe(name=lib, sym=name, fn_name="probe_SSL_ex_enter", pid=-1)
        b.attach_uretprobe(name=lib, sym=name, fn_name="probe_SSL_%s_exit" % way, pid=-1)
"""


def changed(source: str, extended: bool) -> str:
    """Its source as it is run."""
    wanted = [(_HEADERS, _OWN_HEADERS), (_SIZE, _OWN_SIZE)]
    if extended:
        marker = "static int SSL_exit("
        # Before the first use of `lengths`; the entry probe that it calls stands before that.
        wanted += [
            (marker, _EX_PROGRAMS + marker),
            (_RESULT, _EX_RESULT),
            (_ATTACH, _EX_ATTACH + _ATTACH),
            ("int probe_SSL_rw_enter(", "static inline int rw_enter("),
        ]
    for old, new in wanted:
        if old not in source:
            raise SystemExit(f"this is not the sslsniff we know: it lacks {old!r}")
        source = source.replace(old, new, 1)
    if extended:
        source = source.replace("return probe_SSL_rw_enter(", "return rw_enter(")
        entry = "int probe_SSL_rw_enter(struct pt_regs *ctx, void *ssl, void *buf, int num) {\n        return rw_enter(ctx, ssl, buf, num);\n}\n"
        source = source.replace("BPF_HASH(lengths, u32, u64);", "BPF_HASH(lengths, u32, u64);\n" + entry, 1)
    return source


def main() -> None:
    library, *options = sys.argv[1:]
    extended = "--ex" in options
    options = [option for option in options if option != "--ex"]
    sys.argv = [str(INSTALLED), "-o", "-g", "-n", "--extra-lib", f"openssl:{library}", *options]
    source = changed(INSTALLED.read_text(encoding="utf-8"), extended)
    exec(compile(source, str(INSTALLED), "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    main()
