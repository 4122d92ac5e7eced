"""
Numbers of links, which say of two of them whether they are on the same code.

One image under two mounts is one inode with two links, and what one of them saw of a connection goes on when the other sees it.  Probes that
were taken off and put on again have a new number: what became of connections in between nobody saw, so they are others
(``bpf/connection.h``, ``connection_of``).
"""

from __future__ import annotations

from collections.abc import Iterable

from agent.capture.plan import Site

MEMBER_BITS = 12
"""``CODE_OF`` in ``bpf/podtab.h``.  As many as there may be links at once."""
_MEMBERS = 1 << MEMBER_BITS
# Of 32 bits.  A node that probes a new file every minute comes round after two years.
_CODES = 1 << (32 - MEMBER_BITS)

Code = tuple[int, frozenset[Site]]
"""An inode and its sites.  Two mounts differ in their devices' numbers; a file of other content has other sites."""


class LinkIds:
    """Gives them out.  0 is nobody's: a plaintext connection's, or a kernel's without cookies."""

    def __init__(self) -> None:
        self._last = 0
        self._numbers: dict[Code, int] = {}
        self._members: dict[int, set[int]] = {}

    def take(self, inode: int, sites: Iterable[Site]) -> int:
        code = (inode, frozenset(sites))
        number = self._numbers.get(code)
        if number is None or len(self._members[number]) == _MEMBERS:
            number = self._numbers[code] = self._unused()
        members = self._members.setdefault(number, set())
        member = next(one for one in range(_MEMBERS) if one not in members)
        members.add(member)
        return number << MEMBER_BITS | member

    def give_back(self, link: int) -> None:
        """Of a link whose probes go.  The code's number is not used again for the next one on it, if this was its last."""
        number = link >> MEMBER_BITS
        members = self._members[number]
        members.remove(link & (_MEMBERS - 1))
        if not members:
            del self._members[number]
            self._numbers = {code: other for code, other in self._numbers.items() if other != number}

    def gone(self, link: int) -> bool:
        """Whether nobody is left who sees what this link saw.  May be asked from another thread."""
        return link != 0 and link >> MEMBER_BITS not in self._members

    def _unused(self) -> int:
        while True:
            self._last = self._last % (_CODES - 1) + 1
            if self._last not in self._members:
                return self._last
