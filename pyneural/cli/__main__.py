"""`python -m pyneural.cli`"""

from pyneural.cli.main import main

main()
