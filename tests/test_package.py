"""The wheel works when it is installed alone, family included."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_wheel_installs_alone_and_answers(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.stat().st_size < 40_000_000
    target = tmp_path / "installed"
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target"]
    subprocess.run([*install, str(target), str(wheel)], check=True, capture_output=True)
    code = (
        "import eft_integrations; from eft_integrations import Engine\n"
        "print(eft_integrations.__file__)\n"
        "g = Engine.tiny().generate('The capital of France is', max_tokens=4)\n"
        "print(g.usage.completion_tokens)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(target)},
    )
    assert done.returncode == 0, done.stderr
    where, num_tokens = done.stdout.split()
    assert Path(where).is_relative_to(target)
    assert int(num_tokens) > 0
    assert (target / "eft_integrations" / "py.typed").is_file()
