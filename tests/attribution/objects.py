"""API objects as JSON, as small as attribution needs them, and priced calls to attribute."""

from __future__ import annotations

from typing import Any

from agent.model import Call, ConnId, Evidence, Outcome, PricedCall, Process, Reading, Unpriced

UID = "11111111-2222-3333-4444-555555555555"
ID = "c0ffee" + "0" * 58
PATH = f"/kubepods/burstable/pod{UID}/{ID}"
SECOND_NS = 10**9


def pod(
    name: str = "bot-7c9d8f6b54-x2k8q",
    *,
    uid: str = UID,
    owner: tuple[str, str] | None = ("ReplicaSet", "bot-7c9d8f6b54"),
    **more: Any,
) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": "shop",
        "uid": uid,
        "labels": {"pod-template-hash": "7c9d8f6b54"},
        "resourceVersion": "5",
    }
    metadata.update(more)
    if owner:
        metadata["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "controller": True}]
    status = {"containerStatuses": [{"name": "app", "containerID": f"containerd://{ID}"}]}
    return {"metadata": metadata, "status": status}


def priced(cgroup_id: int = 77, pid: int = 4242) -> PricedCall:
    call = Call(
        conn=ConnId(pid=pid, pointer=1, born_ns=1),
        stream_id=1,
        cgroup_id=cgroup_id,
        provider="openai",
        api="openai/chat",
        host="api.openai.com",
        status=200,
        outcome=Outcome.OK,
        started_at_ns=1,
        first_byte_at_ns=2,
        first_token_at_ns=0,
        ended_at_ns=3,
        reading=Reading(operation="chat", evidence=Evidence.REPORTED),
    )
    return PricedCall(call=call, cost=Unpriced(reason="unknown_model"))


def process(path: str = PATH, *, cgroup_id: int = 77, pid: int = 4242, name: str = "python3") -> Process:
    return Process(pid=pid, start_ticks=1, name=name, cgroup_id=cgroup_id, cgroup_path=path)
