"""``python -m likelens``: the command line."""

from .cli import main

main()
