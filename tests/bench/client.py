"""The CPython client: as client.c, with the standard library's TLS.  Usage: client.py PORT ANSWER CONNECTIONS CALLS RATE"""

from __future__ import annotations

import http.client
import itertools
import json
import resource
import ssl
import sys
import threading
import time

port, answer, connections, calls, rate = (
    int(sys.argv[1]),
    sys.argv[2],
    int(sys.argv[3]),
    int(sys.argv[4]),
    float(sys.argv[5]),
)
BODY = json.dumps({"model": "gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": "hello"}]})
HEADERS = {"host": "api.openai.com", "content-type": "application/json"}

context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
numbers = itertools.count()
began = 0.0
go, failed = threading.Event(), []


def work(connection: http.client.HTTPSConnection) -> None:
    go.wait()
    try:
        while (number := next(numbers)) < calls:
            if rate:
                time.sleep(max(0.0, began + number / rate - time.monotonic()))
            connection.request("POST", f"/v1/chat/completions?{answer}", BODY, HEADERS)
            response = connection.getresponse()
            while response.read1(65536):
                pass
            # read1 does not notice the end of a body of known length; the connection is free only after this.
            response.read()
    except (OSError, http.client.HTTPException) as error:
        failed.append(type(error).__name__)


opened = [http.client.HTTPSConnection("127.0.0.1", port, context=context) for _ in range(connections)]
for one in opened:
    one.connect()
threads = [threading.Thread(target=work, args=(one,)) for one in opened]
for thread in threads:
    thread.start()
print("ready", flush=True)
sys.stdin.readline()
before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
go.set()
for thread in threads:
    thread.join()
wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF)
cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(json.dumps({"calls": calls, "failed_connections": len(failed), "wall_s": wall, "cpu_s": cpu}), flush=True)
sys.stdin.readline()
for one in opened:
    one.close()
