"""The memory disk's modules, in the order in which the kernel takes them; and what a guest's end was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.qemu.guest import load_order, lost_a_breakpoint, plain_name

MODULES_DEP = """\
kernel/net/9p/9pnet_virtio.ko.xz: kernel/net/9p/9pnet.ko.xz kernel/drivers/virtio/virtio_ring.ko.xz kernel/drivers/virtio/virtio.ko.xz
kernel/net/9p/9pnet.ko.xz:
kernel/drivers/virtio/virtio_ring.ko.xz: kernel/drivers/virtio/virtio.ko.xz
kernel/drivers/virtio/virtio.ko.xz:
kernel/fs/overlayfs/overlay.ko.xz:
kernel/sound/core/snd.ko.xz:
"""


def test_what_a_module_needs_comes_first_and_once() -> None:
    """insmod resolves nothing."""
    order = [plain_name(path) for path in load_order(MODULES_DEP, ("9pnet_virtio", "overlay"))]
    assert order[-1] == "overlay.ko"
    assert sorted(order) == ["9pnet.ko", "9pnet_virtio.ko", "overlay.ko", "virtio.ko", "virtio_ring.ko"]
    assert order.index("virtio.ko") < order.index("virtio_ring.ko") < order.index("9pnet_virtio.ko")


def test_what_is_built_in_is_not_loaded() -> None:
    """virtio_pci is a module in one kernel and built in the other."""
    assert load_order(MODULES_DEP, ("virtio_pci",)) == []


@pytest.mark.parametrize(
    ("console", "lost"),
    [
        ("[  207.265161] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI\n[  207.267379] Kernel panic - not syncing\n", True),
        ("[   12.100000] Oops: general protection fault: 0000 [#1] SMP\n[   12.200000] Kernel panic\n", False),
        ("", False),
    ],
)
def test_a_panic_is_the_emulators_only_at_a_breakpoint(tmp_path: Path, console: str, lost: bool) -> None:
    """Any other one may be ours, and is told."""
    assert not lost_a_breakpoint(tmp_path), "it has not said anything"
    (tmp_path / "console").write_text(console)
    assert lost_a_breakpoint(tmp_path) == lost
