"""How long pretrained word vectors take to read, in every form they come in, and how much memory.

    python -m benchmarks.vectors

GloVe 6B (400,000 words of 50 numbers; the `glove` extra), by name and written in each form to a temporary folder. Each
read is a new process: seconds of processor time of `read_vectors`, and of what a tagger keeps of it after that (100,000
frequent words), and the peak of memory above that of the imports; what is used of mapped files counts, and Linux alone
tells. The least of seven, by turns, the files in the system's cache.
"""

import gzip
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from pyneural.tagging.vectors import read_vectors, write_vectors

NAME, ROUNDS = "glove-6b-50d", 7
ROOT = Path(__file__).parents[1]
READ = r"""
import json, re, sys, time
from pyneural.tagging.vectors import read_vectors
memory = lambda: int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1]) / 1000
before, start = memory(), time.process_time()
table = read_vectors(sys.argv[1])
read, peak = time.process_time(), memory()
table.only([], frequent=100_000)
print(json.dumps([read - start, time.process_time() - read, peak - before, memory() - before]))
"""


def write_forms(folder: Path) -> list[str]:
    """The table in each form; what to read."""
    table = read_vectors(NAME)
    text, binary, npy, tensors = (folder / f"vectors.{form}" for form in ("txt", "bin", "npy", "safetensors"))
    with open(text, "w", encoding="utf-8") as file:
        for word, row in zip(table.words, table.matrix.tolist(), strict=True):
            file.write(f"{word} {' '.join(f'{x:.5g}' for x in row)}\n")
    with open(binary, "wb") as file:
        file.write(b"%d %d\n" % table.matrix.shape)
        for word, row in zip(table.words, table.matrix, strict=True):
            file.write(word.encode() + b" " + row.tobytes() + b"\n")
    for path in (text, binary):
        with open(path, "rb") as file, gzip.open(f"{path}.gz", "wb", compresslevel=6) as compressed:
            shutil.copyfileobj(file, compressed)
    np.save(npy, table.matrix)
    npy.with_suffix(".vocab").write_text("\n".join(table.words), encoding="utf-8")
    write_vectors(tensors, table)
    return [NAME, *map(str, (text, f"{text}.gz", binary, f"{binary}.gz", npy, tensors))]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        sources = write_forms(Path(folder))
        figures: dict[str, list[list[float]]] = {source: [] for source in sources}
        for _ in range(ROUNDS):
            for source in sources:
                run = [sys.executable, "-c", READ, source]
                output = subprocess.run(run, cwd=ROOT, check=True, capture_output=True, text=True).stdout
                figures[source].append(json.loads(output))
    print(f"{'':20s}   read, s   100,000 kept, s   peak, MB   with those kept")
    for source, runs in figures.items():
        read, kept, peak, more = (min(column) for column in zip(*runs, strict=True))
        print(f"{Path(source).name:20s} {read:9.2f} {kept:17.2f} {peak:10.0f} {more:17.0f}")


if __name__ == "__main__":
    main()
