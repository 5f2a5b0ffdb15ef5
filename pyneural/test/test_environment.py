"""What `pyneural.info` and `pyneural info` say of the installation."""

import json
import os
import subprocess
import sys

import pytest

import pyneural
from pyneural import kernels


def told(*options: str, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "pyneural", "info", *options],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_info():
    facts = pyneural.info()
    assert facts["pyneural"] == pyneural.__version__
    assert 1 <= facts["cores"] <= (os.cpu_count() or 1)
    assert facts["kernels"]["kind"] == kernels.kind
    assert json.loads(json.dumps(facts)) == facts


def test_the_features_cover_the_kernels_chosen():
    facts = json.loads(told("--json", PYNEURAL_KERNELS="compiled"))
    needed = {"baseline": set(), "avx2": {"avx2", "fma"}, "avx512": {"avx512f", "avx512vl"}}
    assert needed[facts["kernels"]["isa"]] <= set(facts["processor"]["features"])


@pytest.mark.skipif(not os.path.exists("/proc/cpuinfo"), reason="Linux tells what to compare with")
def test_the_features_are_those_that_the_system_tells():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        flags = next((line.split() for line in file if line.startswith("flags")), None)
    if flags is None:
        pytest.skip("no x86 processor")
    features = json.loads(told("--json", PYNEURAL_KERNELS="compiled"))["processor"]["features"]
    assert set(features) <= set(flags)
    assert {"avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16"} & set(flags) <= set(features)


def test_the_command_line():
    text = told(PYNEURAL_KERNELS="compiled", PYNEURAL_ISA="baseline", PYNEURAL_BLAS="openblas")
    for words in (f"pyneural   {pyneural.__version__}", "compiled, baseline", "openblas, ", "OpenBLAS 0.", "cores"):
        assert words in text
    assert "NumPy, the reference" in told(PYNEURAL_KERNELS="reference")


def test_importing_is_light():
    """What costs tens of milliseconds and is not needed to begin with is not imported."""
    program = "import sys, pyneural; print(*{'scipy', 'click', 'numpy.random', 'threadpoolctl'} & sys.modules.keys())"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
