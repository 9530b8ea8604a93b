"""`python -m ltkm_inspect.cli`, where the command itself is not on the path."""

from ltkm_inspect.cli import main

main()
