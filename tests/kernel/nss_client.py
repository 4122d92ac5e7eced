"""
The client of client.py on NSS, through ctypes: PR_Write and PR_Read.  ``flags SENT RECEIVED`` is a call with PR_Send and PR_Recv that looks at
the bytes before it takes them, ``vector SENT RECEIVED`` one with PR_Writev, and ``file SENT RECEIVED`` moves as many bytes to and from a
file, and over a socket without TLS, by the same functions.
"""

import ctypes
import os
import socket
import sys
import tempfile

PATTERN = bytes((i * 7 + (i >> 8)) & 255 for i in range(1 << 20))
PEEK, FOREVER = 2, 0xFFFFFFFF  # PR_MSG_PEEK, PR_INTERVAL_NO_TIMEOUT
READ_WRITE_CREATE = 0x04 | 0x08

nspr, nss, ssl = (ctypes.CDLL(name) for name in ("libnspr4.so", "libnss3.so", "libssl3.so"))
for library, name in (
    (nspr, "PR_OpenTCPSocket"),
    (nspr, "PR_Open"),
    (nspr, "PR_ImportTCPSocket"),
    (ssl, "SSL_ImportFD"),
):
    getattr(library, name).restype = ctypes.c_void_p
AUTHENTICATE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int)
anybody = AUTHENTICATE(lambda *_: 0)
buffer = ctypes.create_string_buffer(65536)


class Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_char_p), ("size", ctypes.c_size_t))


def check(result: int) -> int:
    assert result >= 0, nspr.PR_GetError()
    return result


def dial(port: int) -> ctypes.c_void_p:
    plain = socket.create_connection(("127.0.0.1", port))
    tls = ctypes.c_void_p(ssl.SSL_ImportFD(None, ctypes.c_void_p(nspr.PR_ImportTCPSocket(plain.detach()))))
    assert tls
    check(ssl.SSL_AuthCertificateHook(tls, anybody, None))
    check(ssl.SSL_ResetHandshake(tls, 0))
    check(ssl.SSL_ForceHandshake(tls))
    return tls


def send(connection: ctypes.c_void_p, word: str, data: bytes) -> None:
    if word == "vector":
        half = len(data) // 2
        parts = (Vector * 2)(Vector(data[:half], half), Vector(data[half:], len(data) - half))
        assert check(nspr.PR_Writev(connection, parts, 2, FOREVER)) == len(data)
    elif word == "flags":
        assert check(nspr.PR_Send(connection, data, len(data), 0, FOREVER)) == len(data)
    else:
        assert check(nspr.PR_Write(connection, data, len(data))) == len(data)


def receive(connection: ctypes.c_void_p, word: str, size: int) -> int:
    room = min(size, len(buffer))
    if word != "flags":
        return check(nspr.PR_Read(connection, buffer, room))
    looked = check(nspr.PR_Recv(connection, buffer, room, PEEK, FOREVER))
    assert looked
    return check(nspr.PR_Recv(connection, buffer, looked, 0, FOREVER))


def without_tls(sent: int, received: int) -> None:
    with tempfile.NamedTemporaryFile() as named:
        file = ctypes.c_void_p(nspr.PR_Open(named.name.encode(), READ_WRITE_CREATE, 0o600))
        assert check(nspr.PR_Write(file, PATTERN[:sent], sent)) == sent
        check(nspr.PR_Seek(file, 0, 0))
        check(nspr.PR_Read(file, buffer, min(received, len(buffer))))
        check(nspr.PR_Close(file))
    ours, theirs = (ctypes.c_void_p(nspr.PR_ImportTCPSocket(end.detach())) for end in socket.socketpair())
    assert check(nspr.PR_Send(ours, PATTERN, 100, 0, FOREVER)) == 100
    assert check(nspr.PR_Recv(theirs, buffer, 100, 0, FOREVER)) == 100
    for end in (ours, theirs):
        check(nspr.PR_Close(end))


def main() -> None:
    check(nss.NSS_NoDB_Init(None))
    connection = ctypes.c_void_p()
    for line in sys.stdin:
        word, *numbers = line.split()
        if word == "open":
            connection = dial(int(sys.argv[1]))
        elif word == "close":
            check(nspr.PR_Close(connection))
        elif word == "file":
            without_tls(*map(int, numbers))
        else:
            sent, received = map(int, numbers)
            send(connection, word, b"%08d%08d" % (sent, received) + PATTERN[:sent])
            while received:
                received -= receive(connection, word, received)
        print(f"ok {os.getpid()}", flush=True)


if __name__ == "__main__":
    main()
