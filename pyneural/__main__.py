"""`python -m pyneural`: the command line."""

from pyneural.cli import main

main()
