"""The hooks of tests/conftest.py, in a pytest of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")
SKIPPED = "import pytest\n@pytest.mark.kernel\ndef test_probe():\n    pytest.skip('no root')\n"
SKIPPED_FILE = "import pytest\npytest.skip('no BCC', allow_module_level=True)\n"
PASSED = "import pytest\n@pytest.mark.kernel\ndef test_probe():\n    pass\n"
EXPECTED = "import pytest\n@pytest.mark.kernel\n@pytest.mark.xfail\ndef test_probe():\n    assert False\n"
OTHER = "import pytest\ndef test_corpus():\n    pytest.skip('no corpus')\n"


def run(
    folder: Path, text: str, ci: str, other: str = "def test_other():\n    pass\n"
) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST.read_text())
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n  kernel: x\n  cluster: x\n")
    (folder / "kernel").mkdir()
    (folder / "kernel" / "test_it.py").write_text(text)
    (folder / "test_other.py").write_text(other)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")} | {"CI": ci}
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-p", "no:randomly", "."]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("text", [SKIPPED, SKIPPED_FILE], ids=["test", "file"])
def test_in_ci_a_skipped_kernel_test_fails_the_run(tmp_path: Path, text: str) -> None:
    """Exit code and a sentence that names it; pytest's own closing line stays the last one."""
    done = run(tmp_path, text, ci="true")
    assert done.returncode == 1
    assert "which is a failure: kernel/test_it.py" in done.stdout
    assert " passed" in done.stdout.rstrip().splitlines()[-1]


@pytest.mark.parametrize(
    ("text", "ci", "other"), [(SKIPPED, "", PASSED), (PASSED, "true", OTHER), (EXPECTED, "true", PASSED)]
)
def test_otherwise_it_passes(tmp_path: Path, text: str, ci: str, other: str) -> None:
    """On a laptop, with the test run, with an expected failure, and for skips of other kinds."""
    done = run(tmp_path, text, ci=ci, other=other)
    assert done.returncode == 0, done.stdout
    assert "which is a failure" not in done.stdout


def test_cheap_tests_come_first(tmp_path: Path) -> None:
    """kernel/ sorts before test_other.py by name, and runs after it."""
    done = run(tmp_path, PASSED, ci="")
    assert done.stdout.index("test_other.py::test_other") < done.stdout.index("kernel/test_it.py::test_probe")
