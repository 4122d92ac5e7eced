"""
The client of client.py on GnuTLS, through ctypes; ``corked SENT RECEIVED`` is a call whose bytes are written in two pieces under a cork, and
``sequence SENT RECEIVED`` one that reads with gnutls_record_recv_seq.
"""

import ctypes
import os
import socket
import sys

PATTERN = bytes((i * 7 + (i >> 8)) & 255 for i in range(1 << 20))
CLIENT, CERTIFICATE, WAIT = 2, 1, 1  # GNUTLS_CLIENT, GNUTLS_CRD_CERTIFICATE, GNUTLS_RECORD_WAIT

gnutls = ctypes.CDLL("libgnutls.so.30")
for name in ("gnutls_record_send", "gnutls_record_recv", "gnutls_record_recv_seq"):
    getattr(gnutls, name).restype = ctypes.c_ssize_t
buffer = ctypes.create_string_buffer(65536)
sequence = ctypes.create_string_buffer(8)


def check(result: int) -> int:
    assert result >= 0, result
    return result


def dial(port: int) -> tuple[ctypes.c_void_p, socket.socket]:
    connection = socket.create_connection(("127.0.0.1", port))
    credentials, session = ctypes.c_void_p(), ctypes.c_void_p()
    check(gnutls.gnutls_certificate_allocate_credentials(ctypes.byref(credentials)))
    check(gnutls.gnutls_init(ctypes.byref(session), CLIENT))
    check(gnutls.gnutls_set_default_priority(session))
    check(gnutls.gnutls_credentials_set(session, CERTIFICATE, credentials))
    gnutls.gnutls_transport_set_int2(session, connection.fileno(), connection.fileno())
    check(gnutls.gnutls_handshake(session))
    return session, connection


def send(session: ctypes.c_void_p, data: bytes) -> None:
    while data:  # one record at a time
        data = data[check(gnutls.gnutls_record_send(session, data, ctypes.c_size_t(len(data)))) :]


def receive(session: ctypes.c_void_p, size: int, numbered: bool) -> int:
    room = ctypes.c_size_t(min(size, len(buffer)))
    while True:
        if numbered:
            result = gnutls.gnutls_record_recv_seq(session, buffer, room, sequence)
        else:
            result = gnutls.gnutls_record_recv(session, buffer, room)
        if result != -28:  # GNUTLS_E_AGAIN: a session ticket came instead
            return check(result)


def main() -> None:
    session, connection = ctypes.c_void_p(), None
    for line in sys.stdin:
        word, *numbers = line.split()
        if word == "open":
            session, connection = dial(int(sys.argv[1]))
        elif word == "close":
            assert connection
            check(gnutls.gnutls_bye(session, 1))  # GNUTLS_SHUT_WR
            gnutls.gnutls_deinit(session)
            connection.close()
        else:
            sent, received = map(int, numbers)
            data = b"%08d%08d" % (sent, received) + PATTERN[:sent]
            if word == "corked":
                gnutls.gnutls_record_cork(session)
                send(session, data[: len(data) // 3])
                send(session, data[len(data) // 3 :])
                assert check(gnutls.gnutls_record_uncork(session, WAIT)) == len(data)
            else:
                send(session, data)
            while received:
                received -= receive(session, received, word == "sequence")
        print(f"ok {os.getpid()}", flush=True)


if __name__ == "__main__":
    main()
