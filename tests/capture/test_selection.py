"""Which processes are watched: every rule, and what is undecided."""

from __future__ import annotations

import pytest

from agent.capture.selection import Choice, PodFacts, Selection

SHOP = PodFacts(namespace="shop", labels={"app": "bot", "tier": "web"})
YES, NO, LATER = Choice.SELECTED, Choice.UNSELECTED, Choice.UNDECIDED


@pytest.mark.parametrize(
    ("selection", "name", "in_pod", "pod", "choice"),
    [
        (Selection(), "python3", True, None, YES),
        (Selection(), "python3", False, None, YES),
        (Selection(namespaces=("shop",)), "p", True, SHOP, YES),
        (Selection(namespaces=("lab",)), "p", True, SHOP, NO),
        (Selection(namespaces=("shop",)), "p", True, None, LATER),
        (Selection(namespaces=("shop",)), "p", False, None, NO),
        (Selection(exclude_namespaces=("shop",)), "p", True, SHOP, NO),
        (Selection(exclude_namespaces=("shop",)), "p", False, None, YES),
        (Selection(exclude_namespaces=("shop",)), "p", True, None, LATER),
        (Selection(pod_labels={"app": "bot"}), "p", True, SHOP, YES),
        (Selection(pod_labels={"app": "bot", "tier": "db"}), "p", True, SHOP, NO),
        (Selection(pod_labels={"app": "bot"}), "p", False, None, NO),
        (Selection(process_names=("node",)), "node", True, SHOP, YES),
        (Selection(process_names=("node",)), "python3", True, SHOP, NO),
        (Selection(exclude_process_names=("envoy",)), "envoy", False, None, NO),
        (Selection(process_names=("node",), namespaces=("shop",)), "python3", True, None, NO),
    ],
)
def test_choices(selection: Selection, name: str, in_pod: bool, pod: PodFacts | None, choice: Choice) -> None:
    """Names decide at once; pods are waited for, because a first call must not be missed."""
    assert selection.choose(name, in_pod=in_pod, pod=pod) is choice
