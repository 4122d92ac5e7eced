"""The PodList file: read, read again, and refused with the remedy."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from agent.attribution.podlist import PodListFile, read_pod_list
from agent.attribution.settings import AttributionError
from tests.attribution.objects import UID, pod


def write(path: Path, *pods: dict[str, object]) -> Path:
    path.write_text(json.dumps({"kind": "List", "items": list(pods)}))
    return path


def test_pods_by_uid(tmp_path: Path) -> None:
    """As ``kubectl get pods -A -o json`` writes them; what is no pod is passed over."""
    source = PodListFile(write(tmp_path / "pods.json", pod(), {"kind": "Service"}))
    assert list(source.pods()) == [UID]
    found = source.find(UID)
    assert found is not None
    placed = source.place(found)
    assert (placed.owner.name, placed.pending, placed.doubt) == ("bot", False, "no_api_server")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("hello", "not JSON"),
        ("[]", "not a list of pods"),
        ('{"items": 3}', "not a list of pods"),
        ("{}", "not a list of pods"),
    ],
)
def test_other_files_are_refused_with_the_remedy(tmp_path: Path, content: str, word: str) -> None:
    """The sentence names the file and the command that makes it."""
    path = tmp_path / "pods.json"
    path.write_text(content)
    with pytest.raises(AttributionError, match=word) as caught:
        read_pod_list(path)
    assert str(path) in str(caught.value)
    assert "kubectl get pods" in str(caught.value)


def test_an_unreadable_file_is_told(tmp_path: Path) -> None:
    """Before anything is started."""
    with pytest.raises(AttributionError, match="can't be read"):
        PodListFile(tmp_path / "none")


def test_a_changed_file_is_read_again_and_a_broken_one_keeps_the_old(tmp_path: Path) -> None:
    """And says so."""
    path = write(tmp_path / "pods.json", pod())
    source = PodListFile(path)
    write(path, pod(), pod("other", uid="99999999-2222-3333-4444-555555555555", owner=None))
    os.utime(path, ns=(1, 1))
    source.refresh()
    assert len(source.pods()) == 2
    path.write_text("{")
    os.utime(path, ns=(2, 2))
    source.refresh()
    assert len(source.pods()) == 2
    assert "not JSON" in source.error
    write(path, pod())
    os.utime(path, ns=(3, 3))
    source.refresh()
    assert (len(source.pods()), source.error) == (1, "")
