"""
An HTTP client that does what it is told, line by line: ``open`` a connection to the port of the command line; ``call BYTES``: a chat completion
whose body has about so many; ``begin`` and ``finish``: the two halves of one; ``map FILE``: executable, as a loader would.
"""

import http.client
import json
import mmap
import os
import sys

HEAD = "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nContent-Length: {}\r\n\r\n"


def body(size: int) -> bytes:
    return json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "x" * size}]}).encode()


def connect(port: int) -> http.client.HTTPSConnection:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context)
    connection.connect()
    return connection


def main() -> None:
    kept: list[object] = []
    connection = http.client.HTTPSConnection("127.0.0.1")
    for line in sys.stdin:
        word, _, argument = line.strip().partition(" ")
        if word == "open":
            connection = connect(int(sys.argv[1]))
        elif word == "map":
            with open(argument, "rb") as file:
                kept.append(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ | mmap.PROT_EXEC))
        elif word == "call":
            connection.request("POST", "/v1/chat/completions", body(int(argument)), {"Host": "api.openai.com"})
            connection.getresponse().read()
        else:
            # More than what an agent that joins in between waits out (MAX_UNJUDGED_BYTES), in pieces that it copies whole.
            whole = body(400_000)
            if word == "begin":
                connection.sock.sendall(HEAD.format(len(whole)).encode() + whole[:99])
            else:
                for at in range(99, len(whole), 8192):
                    connection.sock.sendall(whole[at : at + 8192])
                connection.sock.recv(65536)
        print(f"ok {os.getpid()}", flush=True)


if __name__ == "__main__":
    main()
