"""
A pod that asks: client.py URL, and on standard input a line of JSON, a list of calls ``{"path", "body", "headers"}``, which are made one after another
on one connection; prints a list of ``[status, answer]``.
"""

from __future__ import annotations

import http.client
import json
import sys
from urllib.parse import urlsplit

url = urlsplit(sys.argv[1])
assert url.hostname
connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
answers = []
for call in json.loads(sys.stdin.readline()):
    connection.request(
        "POST", call["path"], json.dumps(call["body"]), {"Content-Type": "application/json", **call["headers"]}
    )
    answer = connection.getresponse()
    answers.append((answer.status, answer.read().decode()))
print(json.dumps(answers), flush=True)
