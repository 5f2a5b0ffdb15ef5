"""The compiled kernels: the C sources once for each instruction set, the Cython shells around them, and OpenBLAS."""

import filecmp
import os
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

KERNELS = Path("pyneural/kernels")
X86 = platform.machine().lower() in ("x86_64", "amd64")
MSVC = sys.platform == "win32"
DEBUG = os.environ.get("PYNEURAL_DEBUG") == "1"  # bounds, overflow and alignment checked; slow

if MSVC:
    flags = ["/O2", "/openmp:experimental"]
    isa_flags = {"baseline": [], "avx2": ["/arch:AVX2"], "avx512": ["/arch:AVX512"]}
elif DEBUG:
    flags = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-omit-frame-pointer", "-Wno-unknown-pragmas"]
    isa_flags = {"baseline": [], "avx2": ["-mavx2", "-mfma"], "avx512": []}
else:
    # no-math-errno and no-trapping-math let loops over polynomials become vector instructions; results stay IEEE
    flags = ["-O3", "-g0", "-fno-math-errno", "-fno-trapping-math", "-fopenmp-simd", "-std=gnu11"]
    isa_flags = {"baseline": [], "avx2": ["-mavx2", "-mfma"], "avx512": []}
if not MSVC:
    isa_flags["avx512"] = ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"]

sources = sorted(KERNELS.glob("*.pyx"))
if not sources:
    raise SystemExit(f"{KERNELS}: holds no Cython sources; without them there would be no kernels")
macros = [("PYNEURAL_X86", "1")] if X86 else []
BF16 = X86 and not MSVC
if BF16:
    macros.append(("PYNEURAL_BF16", "1"))
if BF16 and DEBUG:
    macros.append(("PYNEURAL_AMX_EMULATED", "1"))
headers = [str(path) for path in KERNELS.glob("*.h")]


def bundle_openblas(folder: Path) -> None:
    """Copies the library of the package scipy-openblas32, with its licence, into ours. Its makers ask others not to
    depend on the package at run time, but to bring a copy; so a build also keeps the BLAS it was tested with."""
    try:
        packaged = [Path(file.locate()) for file in metadata.files("scipy-openblas32") or []]
    except metadata.PackageNotFoundError:
        print("no scipy-openblas32 to bundle: PYNEURAL_BLAS must name a library at run time", file=sys.stderr)
        return
    wanted = [
        file
        for file in packaged
        if file.name == "LICENSE.txt" or file.suffix in (".dylib", ".dll") or ".so" in file.suffixes
    ]
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        if old.name not in {file.name for file in wanted}:
            old.unlink()
    for file in wanted:
        copy = folder / file.name
        if not copy.exists() or not filecmp.cmp(file, copy, shallow=False):
            copy.unlink(missing_ok=True)  # not written over: a running process may have it in memory
            shutil.copyfile(file, copy)


bundle_openblas(KERNELS / "openblas")


def library(name: str, sources: list[str], extra: list[str]) -> tuple[str, dict[str, object]]:
    return name, {
        "sources": [str(KERNELS / source) for source in sources],
        "obj_deps": {"": headers},
        "macros": macros,
        "cflags": [*flags, *extra],
        "include_dirs": [str(KERNELS)],
    }


libraries = [library("pyneural_cpu", ["cpu.c", "features.c"], [])]
libraries += [
    library(f"pyneural_{isa}", [f"isa_{isa}.c"], isa_flags[isa])
    for isa in ("baseline", "avx2", "avx512")
    if isa == "baseline" or X86
]
if BF16:
    bf16_flags = [*isa_flags["avx512"], "-mavx512bf16"]
    libraries.append(library("pyneural_bf16_avx512", ["bf16_avx512.c"], bf16_flags))
    libraries.append(library("pyneural_bf16_amx", ["bf16_amx.c"], [*bf16_flags, "-mamx-tile", "-mamx-bf16"]))
if BF16 and DEBUG:
    libraries.append(library("pyneural_bf16_emulated", ["bf16_amx_emulated.c"], bf16_flags))

extensions = [
    Extension(
        f"pyneural.kernels.{path.stem}",
        [str(path)],
        include_dirs=[str(KERNELS), numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"), *macros],
        extra_compile_args=flags if DEBUG else [] if MSVC else ["-g0"],
        extra_link_args=["-fsanitize=address,undefined"] if DEBUG else [],
        depends=headers,
    )
    for path in sources
]

setup(
    libraries=libraries,
    ext_modules=cythonize(
        extensions,
        build_dir="build/cython",
        language_level=3,
        compiler_directives={"boundscheck": DEBUG, "wraparound": False, "cdivision": True, "embedsignature": True},
    ),
)
