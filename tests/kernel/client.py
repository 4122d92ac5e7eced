"""
A TLS client that does what it is told, line by line: CPython, so SSL_read_ex and SSL_write_ex.

``open`` a connection to the port of the command line; ``call SENT RECEIVED``: one write of SENT bytes of the pattern behind a head of 16, and
reads until RECEIVED bytes are there; ``close``; ``fork``, ``exec`` and ``thread`` leave the rest of the lines to a child, to this program anew,
or to a thread that outlives the first one.  Answers each line with ``ok``.
"""

import ctypes
import os
import socket
import ssl
import sys
import threading

PATTERN = bytes((i * 7 + (i >> 8)) & 255 for i in range(1 << 20))


def main() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = None
    for line in sys.stdin:
        word, *numbers = line.split()
        if word == "open":
            connection = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
        elif word == "call":
            sent, received = map(int, numbers)
            assert connection
            connection.sendall(b"%08d%08d" % (sent, received) + PATTERN[:sent])
            while received:
                received -= len(connection.recv(min(received, 65536)))
        elif word == "close":
            assert connection
            connection.close()
            connection = None
        elif word == "exec":
            print(f"ok {os.getpid()}", flush=True)
            os.execv(sys.executable, [sys.executable, "-I", "-S", *sys.argv])
        elif word == "fork" and (child := os.fork()):
            os.waitpid(child, 0)
            return
        elif word == "thread":
            threading.Thread(target=main).start()
            exit_of_this_thread = 93 if os.uname().machine == "aarch64" else 60
            ctypes.CDLL(None).syscall(exit_of_this_thread, 0)
        print(f"ok {os.getpid()}", flush=True)


if __name__ == "__main__":
    main()
