"""One target under the coverage-guided fuzzer: ``python -m tests.fuzz.one TARGET FOLDER SECONDS``.  libFuzzer ends the process by itself."""

from __future__ import annotations

import sys

import atheris


def main() -> None:
    name, folder, seconds = sys.argv[1:]
    with atheris.instrument_imports(include=["agent"]):
        from tests.fuzz.targets import TARGETS
    options = [
        f"-max_total_time={seconds}",
        "-max_len=8192",
        "-timeout=10",  # of one input: bounded time
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
        f"-artifact_prefix={folder}/found-",
        f"{folder}/inputs",
    ]
    atheris.Setup([sys.argv[0], *options], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
