"""Cleaning up; the whole of it, with killed demos, is in tests/kernel/test_demo.py."""

from pathlib import Path

from agent.demo.janitor import PREFIX, sweep, sweep_orphans


def test_sweep_removes_groups_and_folder(tmp_path: Path) -> None:
    """Nested groups go from the leaves up; a second sweep finds nothing to do."""
    group, folder = tmp_path / "group", tmp_path / "folder"
    (group / "a" / "b").mkdir(parents=True)
    folder.mkdir()
    (folder / "books.jsonl").write_text("{}")
    sweep(group, folder)
    assert list(tmp_path.iterdir()) == []
    sweep(group, folder)


def test_only_orphans_are_swept(tmp_path: Path) -> None:
    """Pid 1 lives; no process has the other number; a foreign name is nobody's business."""
    cgroups = tmp_path / "cgroups"
    for name in (PREFIX + "1", PREFIX + "99999999", PREFIX + "x", "other"):
        (cgroups / name).mkdir(parents=True)
    sweep_orphans(cgroups, tmp_path)
    assert sorted(path.name for path in cgroups.iterdir()) == ["other", PREFIX + "1", PREFIX + "x"]
