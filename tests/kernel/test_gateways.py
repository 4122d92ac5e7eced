"""
LiteLLM's proxy and llama.cpp's server as PyPI carries them: who asked pays what the provider booked, once, and a model server's counts are those that it
gave its client.

Their bytes are read by a relay (``gateways/relay.py``), so what is tested is all that comes after capture; probes have other tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agent.demo import books, sdks
from agent.demo.agreement import COST_TOLERANCE_USD
from agent.demo.sandbox import Sandbox, sandbox
from tests.kernel.packages import installed

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces and cgroups")]

FOLDER = Path(__file__).parent / "gateways"
ROOT = Path(__file__).parents[2]
HOST = "gateway.ai.svc.cluster.local"
# Each port that is asked, and the one behind it that the relay passes it on to.
LITELLM, PROVIDER, LLAMA = (4001, 4000), (8000, 8001), (8003, 8002)
# LiteLLM refuses to serve with a simple one.
MASTER_KEY = "sk-demo-6b1f0c9d52e84a7f93ab20d7c4e1586f"
START_SECONDS = 90.0
PODS = ("one", "two", "shaky", "twice")
HELLO = [{"role": "user", "content": "hello"}]
STREAMED = {"stream": True}
WITH_USAGE = {**STREAMED, "stream_options": {"include_usage": True}}
CACHED = {"cache": {"use-cache": True}}
KINDS = {
    "smart": ("anthropic/claude-sonnet-4-6", "http://api.anthropic.com:8000"),
    "quick": (
        "gemini/gemini-2.5-flash",
        "http://generativelanguage.googleapis.com:8000/v1beta/models/gemini-2.5-flash",
    ),
    "plain": ("openai/gpt-4.1", "http://api.openai.com:8000/v1"),
}

Told = list[dict[str, Any]]
Answers = dict[str, list[tuple[int, str]]]


def to_litellm(model: str, path: str = "/v1/chat/completions", **more: object) -> dict[str, Any]:
    body = {"model": model, "messages": HELLO, "max_tokens": 99, **more}
    return {"path": path, "body": body, "headers": {"Authorization": f"Bearer {MASTER_KEY}"}}


def everything(pod: str) -> list[dict[str, Any]]:
    """OpenAI's chat to three providers, whole and streamed, with usage and without; and Anthropic's messages to two of them."""
    calls = [to_litellm(f"{pod}-{kind}", **more) for kind in KINDS for more in ({}, WITH_USAGE, STREAMED)]
    return calls + [
        to_litellm(f"{pod}-{kind}", "/v1/messages", **more) for kind in ("smart", "plain") for more in ({}, STREAMED)
    ]


def to_llama(path: str, **more: object) -> dict[str, Any]:
    """It ends connections after a stream without a word before."""
    return {
        "path": path,
        "body": {"model": "noise", "max_tokens": 7, "n_predict": 7, **more},
        "headers": {"Connection": "close"},
    }


PLANS = {
    "one": (LITELLM, everything("one")),
    "two": (LITELLM, everything("two")),
    "shaky": (LITELLM, [to_litellm("troubled") for _ in range(6)]),
    "twice": (LITELLM, [to_litellm("twice-plain", **CACHED, **more) for more in ({}, {}, {}, WITH_USAGE, WITH_USAGE)]),
    "local": (
        LLAMA,
        [to_llama("/v1/chat/completions", messages=HELLO, **more) for more in ({}, WITH_USAGE, STREAMED)]
        + [to_llama("/completion", prompt="hello", **more) for more in ({}, STREAMED)],
    ),
}


def litellm_config() -> dict[str, Any]:
    """Each pod's calls have an API key of their own at the provider, so its books say for whom it served."""
    models = [
        {
            "model_name": f"{pod}-{kind}",
            "litellm_params": {"model": model, "api_base": base, "api_key": f"sk-demo-{pod}"},
        }
        for pod in PODS
        for kind, (model, base) in KINDS.items()
    ]
    # Every third of its calls is refused, with 429 and 500 in turn.
    refused = {
        "model": "anthropic/claude-haiku-4-5",
        "api_base": KINDS["smart"][1],
        "api_key": "sk-demo-troubled",
    }
    return {
        "model_list": [*models, {"model_name": "troubled", "litellm_params": refused}],
        "litellm_settings": {
            "num_retries": 0,
            "telemetry": False,
            "fallbacks": [{"troubled": ["shaky-plain"]}],
            "cache": True,
            "cache_params": {"type": "local", "mode": "default_off"},
        },
    }


def start(box: Sandbox, name: str, command: Sequence[str | Path], **environment: str) -> subprocess.Popen[str]:
    """Speaks with us over its standard streams; what it says beside that is in its log."""
    home = box.folder / name
    home.mkdir()
    with (home / "log").open("w") as log:
        return box.start(
            command,
            group=name,
            environment={**sdks.environment(key="", authority=box.authority, home=home), **environment},
            inside=True,
            input=subprocess.PIPE,
            output=subprocess.PIPE if name in PLANS or name == "relay" else log,
            errors=log,
        )


def await_port(box: Sandbox, name: str, port: int) -> None:
    code = f"import socket; socket.create_connection(('127.0.0.1', {port}))"
    enter = ["nsenter", f"--target={box.provider.pid}", "--net", "--", sys.executable, "-I", "-S", "-c", code]
    end = time.monotonic() + START_SECONDS
    while subprocess.run(enter, stderr=subprocess.DEVNULL, check=False).returncode:
        assert time.monotonic() < end, (box.folder / name / "log").read_text()[-2000:]
        time.sleep(0.3)


@pytest.fixture(scope="module")
def played() -> Iterator[tuple[Told, Answers, list[books.Served]]]:
    """All pods at once, each making its calls one after another."""
    litellm, llama = (installed(name, FOLDER / f"{name}.txt") for name in ("litellm", "llama"))
    with sandbox(in_cluster=f"{HOST}:{PROVIDER[1]}") as box:
        config = box.folder / "litellm.yaml"
        config.write_text(json.dumps(litellm_config()), encoding="utf-8")
        pairs = [f"{listen}:{to}" for listen, to in (LITELLM, PROVIDER, LLAMA)]
        relay = start(
            box, "relay", [sys.executable, FOLDER / "relay.py", str(PROVIDER[0]), *pairs], PYTHONPATH=str(ROOT)
        )
        serve = [litellm, "-c", "from litellm import run_server; run_server()", "--config", config]
        keys = {"LITELLM_MASTER_KEY": MASTER_KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}
        servers = [start(box, "litellm", [*serve, "--host", "127.0.0.1", "--port", str(LITELLM[1])], **keys)]
        servers.append(start(box, "llama", [llama, FOLDER / "llama.py", str(LLAMA[1]), box.folder]))
        await_port(box, "llama", LLAMA[1])
        await_port(box, "litellm", LITELLM[1])
        assert relay.stdout
        assert relay.stdout.readline() == "ready\n"
        asking = {}
        for name, (ports, calls) in PLANS.items():
            url = f"http://{HOST}:{ports[0]}"
            asking[name] = start(box, name, [sys.executable, "-I", "-S", FOLDER / "client.py", url])
            said = asking[name].stdin
            assert said
            said.write(json.dumps(calls) + "\n")
            said.flush()
        heard = {name: client.communicate(timeout=60)[0] for name, client in asking.items()}
        for name, client in asking.items():
            assert not client.returncode, (
                name,
                *((box.folder / one / "log").read_text()[-1500:] for one in (name, "relay")),
            )
        answers = {name: json.loads(said) for name, said in heard.items()}
        # The calls' ends have come before the clients' own.
        time.sleep(0.5)
        out = relay.communicate(timeout=30)[0]
        for server in servers:
            server.kill()
            server.communicate()
        yield [json.loads(line) for line in out.splitlines()], answers, books.read(box.books)


def of(told: Told, *prefixes: str) -> Told:
    """The calls that a pod made, by the names that the gateway gives to models for it."""
    return [one for one in told if not one["gateway"] and one["model"].startswith(prefixes)]


def served(rows: list[books.Served], *keys: str) -> list[books.Served]:
    return [one for one in rows if one.client in keys and one.tokens is not None]


def agree(calls: Told, rows: list[books.Served]) -> None:
    """To the token, and to the billionth of a dollar."""
    tokens = [(one.tokens.all_input, one.tokens.all_output) for one in rows if one.tokens is not None]
    assert sorted(tuple(one["tokens"]) for one in calls) == sorted(tokens)
    paid = sum(Decimal(one["cost"]) for one in calls)
    assert abs(paid - sum(one.cost_usd or 0 for one in rows)) < COST_TOLERANCE_USD


def test_every_answer_was_good(played: tuple[Told, Answers, list[books.Served]]) -> None:
    """What LiteLLM was refused it got elsewhere."""
    assert {name: [status for status, _ in got] for name, got in played[1].items()} == {
        name: [200] * len(calls) for name, (_, calls) in PLANS.items()
    }


@pytest.mark.parametrize("pod", ["one", "two"])
def test_each_pays_for_its_own(played: tuple[Told, Answers, list[books.Served]], pod: str) -> None:
    """Two that ask at once: other models' names, other APIs, streams cut anew, and also where the client was not told what it used."""
    told, _, rows = played
    assert len(of(told, f"{pod}-")) == len(PLANS[pod][1])
    assert {one["evidence"] for one in of(told, f"{pod}-")} == {"reported"}
    agree(of(told, f"{pod}-"), served(rows, pod))


def test_the_gateway_pays_nothing(played: tuple[Told, Answers, list[books.Served]]) -> None:
    """As many calls as the provider served, each of them somebody else's."""
    told, _, rows = played
    gateways = [one for one in told if one["gateway"] and one["status"] == 200]
    assert {one["unpriced"] for one in gateways} == {"via_gateway"}
    tokens = [(one.tokens.all_input, one.tokens.all_output) for one in rows if one.tokens is not None]
    assert sorted(tuple(one["tokens"]) for one in gateways) == sorted(tokens)


def test_what_is_refused_inside_costs_nobody(played: tuple[Told, Answers, list[books.Served]]) -> None:
    """The first provider answers 429 or 500, and another one serves: that one is paid, by the pod that asked."""
    told, _, rows = played
    agree(of(told, "troubled"), served(rows, "troubled", "shaky"))
    refused = [one["status"] for one in told if one["gateway"] and one["status"] in (429, 500)]
    assert refused
    assert {one["unpriced"] for one in told if one["status"] in (429, 500)} == {"not_billed"}
    assert served(rows, "shaky")


def test_what_the_gateway_remembers_is_paid_once(played: tuple[Told, Answers, list[books.Served]]) -> None:
    """Its cached answers state usage, in streams a cost too, and nobody served them."""
    told, _, rows = played
    asked = of(told, "twice-")
    cached = [one for one in asked if "answered_from_gateway_cache" in one["remarks"]]
    assert [(one["tokens"], one["unpriced"]) for one in cached] == [([0, 0], "not_billed")] * 3
    agree([one for one in asked if one not in cached], served(rows, "twice"))


def test_a_model_servers_counts_are_those_it_gave(played: tuple[Told, Answers, list[books.Served]]) -> None:
    """llama.cpp's server: chats whole, streamed with usage and without (its timings count), and its own API."""
    told, answers, _ = played
    found = [tuple(one["tokens"]) for one in of(told, "noise") or of(told, "")]
    assert sorted(found) == sorted(map(stated, (text for _, text in answers["local"])))


def stated(answer: str) -> tuple[int, int]:
    """By the last thing it says that counts."""
    lines = [line.removeprefix("data: ") for line in answer.splitlines()]
    last: Mapping[str, Any] = [json.loads(line) for line in lines if line.startswith("{")][-1]
    if "usage" in last:
        return last["usage"]["prompt_tokens"], last["usage"]["completion_tokens"]
    if "tokens_evaluated" in last:
        return last["tokens_evaluated"], last["tokens_predicted"]
    return last["timings"]["cache_n"] + last["timings"]["prompt_n"], last["timings"]["predicted_n"]
