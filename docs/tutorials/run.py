"""Runs the code of the tutorials, as a reader would who copies it block by block: the pictures that they show are drawn
anew in the working directory.

    cd docs/tutorials && python run.py [NAME …]
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def names() -> list[str]:
    return sorted(path.stem for path in HERE.glob("*.md") if path.stem != "README")


def code(name: str) -> str:
    """The Python blocks of a tutorial, one after the other."""
    text = (HERE / f"{name}.md").read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE))


def pictures(name: str) -> list[str]:
    """The files that a tutorial shows."""
    return re.findall(r"!\[[^]]*\]\(([^)]+)\)", (HERE / f"{name}.md").read_text(encoding="utf-8"))


def run(name: str) -> dict[str, object]:
    """Runs a tutorial in the working directory; returns the names that it has defined."""
    found: dict[str, object] = {"__name__": name}
    exec(compile(code(name), f"{name}.md", "exec"), found)
    return found


if __name__ == "__main__":
    for one in sys.argv[1:] or names():
        print(f"---- {one}")
        run(one)
