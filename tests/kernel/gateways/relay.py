"""
relay.py UPSTREAM LISTEN:TO …: passes bytes on, and gives them to the core as capture would, each connection as another process's but those to UPSTREAM,
which are one's, the gateway.  At the end of its input it prints what came of it, a JSON object a line.
"""

from __future__ import annotations

import itertools
import json
import socket
import sys
import threading
import time

from agent.dialects import DIALECTS
from agent.dialects.providers import Providers
from agent.model import Chunk, Closed, ConnId, Cost, Direction, PricedCall
from agent.pipeline.gateways import HOLD_NS, Gateways
from agent.pipeline.pipeline import Pipeline
from agent.pricing import Pricer

GATEWAY = 1
core = Pipeline(dialects=DIALECTS, provider_of=Providers().provider_of, price=Pricer().price)
gateways = Gateways(core.within_another)
one_at_a_time = threading.Lock()
told: list[PricedCall] = []
numbers = itertools.count(2)


def seen(event: Chunk | Closed) -> None:
    with one_at_a_time:
        ended = [one for one in core.receive(event) if isinstance(one, PricedCall)]
        told.extend(gateways.take_together(ended, time.time_ns()))


def pass_on(source: socket.socket, sink: socket.socket, conn: ConnId, direction: Direction) -> None:
    position = 0
    while data := source.recv(65536):
        now_ns = time.time_ns()
        seen(
            Chunk(
                conn=conn,
                direction=direction,
                position=position,
                data=data,
                at_ns=now_ns,
                last_at_ns=now_ns,
                cgroup_id=conn.pid,
            )
        )
        position += len(data)
        sink.sendall(data)
    sink.shutdown(socket.SHUT_WR)


def connection(client: socket.socket, to: int, pid: int) -> None:
    conn = ConnId(pid=pid, pointer=next(numbers), born_ns=time.time_ns())
    with client, socket.create_connection(("127.0.0.1", to)) as server:
        back = threading.Thread(target=pass_on, args=(server, client, conn, Direction.RECEIVED))
        back.start()
        pass_on(client, server, conn, Direction.SENT)
        back.join()
    seen(Closed(conn=conn, at_ns=time.time_ns()))


def serve(listener: socket.socket, to: int, upstream: bool) -> None:
    while True:
        client, _ = listener.accept()
        pid = GATEWAY if upstream else next(numbers)
        threading.Thread(target=connection, args=(client, to, pid), daemon=True).start()


for pair in sys.argv[2:]:
    port, to = map(int, pair.split(":"))
    listener = socket.create_server(("127.0.0.1", port), backlog=64)
    threading.Thread(target=serve, args=(listener, to, port == int(sys.argv[1])), daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
with one_at_a_time:
    told.extend(gateways.release(time.time_ns() + HOLD_NS))
for one in told:
    reading = one.call.reading
    about = {
        "gateway": one.call.conn.pid == GATEWAY,
        "status": one.call.status,
        "model": reading.requested_model,
        "evidence": reading.evidence,
        "tokens": [reading.usage.input_tokens or 0, reading.usage.output_tokens or 0],
        "remarks": reading.remarks,
        "cost": str(one.cost.total_usd) if isinstance(one.cost, Cost) else None,
        "unpriced": None if isinstance(one.cost, Cost) else one.cost.reason,
    }
    print(json.dumps(about))
