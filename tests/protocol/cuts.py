"""Ways to cut a byte string.  Deterministic ones always; a CR LF bug can hide in one cut of a hundred."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator


def whole(data: bytes) -> list[bytes]:
    return [data]


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def every_cut_in_two(data: bytes) -> Iterator[list[bytes]]:
    for cut in range(len(data) + 1):
        yield [data[:cut], data[cut:]]


def random_cuts(data: bytes, *, rounds: int = 50, seed: int = 23) -> Iterator[list[bytes]]:
    chance = random.Random(seed)
    for _ in range(rounds):
        cuts = sorted(chance.sample(range(len(data) + 1), min(len(data), chance.randint(1, 12))))
        edges = [0, *cuts, len(data)]
        yield [data[start:end] for start, end in itertools.pairwise(edges)]


def all_ways(data: bytes) -> Iterator[list[bytes]]:
    yield whole(data)
    yield bytewise(data)
    yield from every_cut_in_two(data)
    yield from random_cuts(data)


def growth(work: Callable[[int], object], *, small: int = 4_000, times: int = 8) -> float:
    """
    How many times longer ``work(times * small)`` takes than ``work(small)``, in CPU time: about ``times`` where every byte is looked at
    once, ``times`` squared where each piece copies all that came before.
    """
    fastest = []
    for size in (small, small * times):
        taken = []
        for _ in range(3):
            begun = time.process_time()
            work(size)
            taken.append(time.process_time() - begun)
        fastest.append(min(taken))
    return fastest[1] / max(fastest[0], 1e-6)
