"""A queue that never makes anyone wait."""

from __future__ import annotations

import threading
from collections import Counter

from agent.sinks.otlp.outbox import Outbox
from tests.sinks.otlp.collector import until


def outbox(deliver: object, lost: Counter[str], **sizes: int) -> Outbox[int]:
    given = {"max_items": 10, "max_batch": 4} | sizes
    return Outbox(
        "test", deliver, linger_seconds=0.02, lost=lambda reason, number: lost.update({reason: number}), **given
    )  # type: ignore[arg-type]


def test_everything_arrives_in_order_and_in_batches() -> None:
    """What is put in comes out once, also what waits at the end."""
    got: list[list[int]] = []
    lost: Counter[str] = Counter()
    box = outbox(got.append, lost, max_items=100)
    box.start()
    assert all(box.put(number) for number in range(23))
    assert box.close(5)
    assert [number for batch in got for number in batch] == list(range(23))
    assert max(len(batch) for batch in got) <= 4
    assert not lost
    assert not box.put(1)
    assert lost == {"shutdown": 1}


def test_overflow_is_counted_and_nobody_waits() -> None:
    """While delivery hangs, ten fit; the rest is told at once, and what is left at the end too."""
    go, lost = threading.Event(), Counter[str]()
    box = outbox(lambda batch: batch and go.wait(10), lost)
    box.start()
    box.put(0)
    # Lingered, taken, and hanging from now on.
    until(lambda: box.waiting == 0)
    assert sum(box.put(number) for number in range(50)) == 10
    assert lost == {"queue_full": 40}
    assert not box.close(0.05)
    assert lost == {"queue_full": 40, "shutdown": 10}
    go.set()


def test_a_bug_in_delivery_costs_its_batch() -> None:
    """The next one is delivered."""
    got: list[int] = []

    def deliver(batch: list[int]) -> None:
        if 1 in batch:
            raise KeyError(1)
        got.extend(batch)

    lost: Counter[str] = Counter()
    box = outbox(deliver, lost, max_batch=1)
    box.start()
    for number in (1, 2):
        box.put(number)
    assert box.close(5)
    assert (got, lost) == ([2], {"bug": 1})
