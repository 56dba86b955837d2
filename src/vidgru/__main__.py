"""Run `python -m vidgru`."""

from vidgru.cli.main import main

main()
