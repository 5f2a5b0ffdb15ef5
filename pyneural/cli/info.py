"""`pyneural info`"""

import json

import click

import pyneural


@click.command(short_help="Show versions, kernels, BLAS and threads.")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def info(as_json: bool) -> None:
    """Show versions, the processor, the kernels and the BLAS chosen for it, and threads."""
    facts = pyneural.info()
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    processor, kernels, blas = facts["processor"], facts["kernels"], facts["blas"]
    lines = {
        "pyneural": f"{facts['pyneural']}, Python {facts['python']}, NumPy {facts['numpy']}, {facts['platform']}",
        "kernels": "NumPy, the reference"
        if kernels["isa"] is None
        else f"compiled, {kernels['isa']}, bfloat16 by {kernels['bf16'] or 'none'}",
        "cores": f"{facts['cores']} for this process",
    }
    if processor is not None:
        lines["processor"] = f"{processor['name']}: {' '.join(processor['features']) or 'baseline'}"
    if blas is not None:
        threads = "threads its own affair" if blas["threads"] is None else f"{blas['threads']} thread(s)"
        lines["BLAS"] = f"{blas['name']}, {threads}: {blas['version'] or 'version unknown'}\n{'':10} {blas['path']}"
    for name, text in lines.items():
        click.echo(f"{name:10} {text}")
