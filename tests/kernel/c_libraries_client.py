"""
The client of client.py on smaller C libraries, through ctypes: ``c_libraries_client.py LIBRARY FILE PORT``.

``other SENT RECEIVED`` is a call by the library's other functions, where it has some.
"""

import ctypes
import os
import socket
import sys

PATTERN = bytes((i * 7 + (i >> 8)) & 255 for i in range(1 << 20))

library = ctypes.CDLL(sys.argv[2])
buffer = ctypes.create_string_buffer(65536)


def check(result: int) -> int:
    assert result >= 0, result
    return result


class MbedTls:
    def __init__(self, port: int) -> None:
        # Their structs are some ten KB at most and made by the caller; nothing else of them is known here.
        names = ["net", "ssl", "config", "entropy", "random"]
        self.net, self.ssl, config, entropy, random = self._parts = [
            ctypes.create_string_buffer(1 << 18) for _ in names
        ]
        crypto = ctypes.CDLL(sys.argv[2].replace("libmbedtls.so.14", "libmbedcrypto.so.7"))
        crypto.mbedtls_entropy_init(entropy)
        crypto.mbedtls_ctr_drbg_init(random)
        library.mbedtls_ssl_init(self.ssl)
        library.mbedtls_ssl_config_init(config)
        check(-abs(crypto.mbedtls_ctr_drbg_seed(random, crypto.mbedtls_entropy_func, entropy, None, 0)))
        library.mbedtls_net_init(self.net)
        check(library.mbedtls_net_connect(self.net, b"127.0.0.1", str(port).encode(), 0))
        check(library.mbedtls_ssl_config_defaults(config, 0, 0, 0))  # client, stream, default
        library.mbedtls_ssl_conf_authmode(config, 0)
        library.mbedtls_ssl_conf_rng(config, crypto.mbedtls_ctr_drbg_random, random)
        check(library.mbedtls_ssl_setup(self.ssl, config))
        library.mbedtls_ssl_set_bio(self.ssl, self.net, library.mbedtls_net_send, library.mbedtls_net_recv, None)
        check(library.mbedtls_ssl_handshake(self.ssl))

    def send(self, data: bytes, _: bool) -> int:
        return int(library.mbedtls_ssl_write(self.ssl, data, ctypes.c_size_t(len(data))))

    def receive(self, size: int, _: bool) -> int:
        return int(library.mbedtls_ssl_read(self.ssl, buffer, ctypes.c_size_t(size)))

    def close(self) -> None:
        library.mbedtls_ssl_close_notify(self.ssl)
        library.mbedtls_ssl_free(self.ssl)
        library.mbedtls_net_free(self.net)


class WolfSsl:
    def __init__(self, port: int) -> None:
        for name in ("wolfSSLv23_client_method", "wolfSSL_CTX_new", "wolfSSL_new"):
            getattr(library, name).restype = ctypes.c_void_p
        library.wolfSSL_Init()
        context = ctypes.c_void_p(library.wolfSSL_CTX_new(ctypes.c_void_p(library.wolfSSLv23_client_method())))
        library.wolfSSL_CTX_set_verify(context, 0, None)
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.ssl = ctypes.c_void_p(library.wolfSSL_new(context))
        assert library.wolfSSL_set_fd(self.ssl, self.socket.fileno()) == 1
        assert library.wolfSSL_connect(self.ssl) == 1

    def send(self, data: bytes, other: bool) -> int:
        if other:
            return int(library.wolfSSL_send(self.ssl, data, len(data), 0))
        return int(library.wolfSSL_write(self.ssl, data, len(data)))

    def receive(self, size: int, other: bool) -> int:
        if other:
            return int(library.wolfSSL_recv(self.ssl, buffer, size, 0))
        return int(library.wolfSSL_read(self.ssl, buffer, size))

    def close(self) -> None:
        library.wolfSSL_shutdown(self.ssl)
        library.wolfSSL_free(self.ssl)
        self.socket.close()


class S2n:
    def __init__(self, port: int) -> None:
        for name in ("s2n_connection_new", "s2n_config_new"):
            getattr(library, name).restype = ctypes.c_void_p
        library.s2n_init()
        config = ctypes.c_void_p(library.s2n_config_new())
        check(library.s2n_config_disable_x509_verification(config))
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.connection = ctypes.c_void_p(library.s2n_connection_new(1))  # S2N_CLIENT
        self.blocked = ctypes.c_int()
        check(library.s2n_connection_set_config(self.connection, config))
        check(library.s2n_connection_set_blinding(self.connection, 1))
        check(library.s2n_connection_set_fd(self.connection, self.socket.fileno()))
        check(library.s2n_negotiate(self.connection, ctypes.byref(self.blocked)))

    def send(self, data: bytes, _: bool) -> int:
        return int(library.s2n_send(self.connection, data, ctypes.c_ssize_t(len(data)), ctypes.byref(self.blocked)))

    def receive(self, size: int, _: bool) -> int:
        return int(library.s2n_recv(self.connection, buffer, ctypes.c_ssize_t(size), ctypes.byref(self.blocked)))

    def close(self) -> None:
        library.s2n_shutdown_send(self.connection, ctypes.byref(self.blocked))
        library.s2n_connection_free(self.connection)
        self.socket.close()


def main() -> None:
    dial = {"mbedtls": MbedTls, "wolfssl": WolfSsl, "s2n": S2n}[sys.argv[1]]
    connection = None
    for line in sys.stdin:
        word, *numbers = line.split()
        if word == "open":
            connection = dial(int(sys.argv[3]))
        elif word == "close":
            assert connection
            connection.close()
        else:
            assert connection
            sent, received = map(int, numbers)
            data = b"%08d%08d" % (sent, received) + PATTERN[:sent]
            while data:
                data = data[check(connection.send(data, word == "other")) :]
            while received:
                received -= check(connection.receive(min(received, len(buffer)), word == "other"))
        print(f"ok {os.getpid()}", flush=True)


if __name__ == "__main__":
    main()
