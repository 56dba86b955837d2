"""`vidgru predict --out`: predictions for many sources, written into a file."""

import sys

import click

from vidgru.core.torchrun import process_rank, world_size
from vidgru.tasks.classify.answers import open_answers
from vidgru.tasks.classify.options import PredictConfig
from vidgru.tasks.classify.tables import show_written
from vidgru.terminal.options import report_model
from vidgru.terminal.progress import bar
from vidgru.terminal.source_loop import Output, print_items
from vidgru.terminal.tables import print_result


def write(sources: tuple[str, ...], config: PredictConfig, as_json: bool, quiet: bool) -> None:
    """Write the predictions, and print a summary.

    Sources that failed make the exit code 1, but not under torchrun: it would end the other
    processes and restart all of them, for work that is done.
    """
    with open_answers(sources, config) as answers:
        report_model(answers.many.path, config, quiet or process_rank() > 0)
        total = answers.there + len(answers.left)
        silent = quiet or process_rank() > 0
        with bar(silent, answers, total=total, initial=answers.there, unit=" sources") as shown:
            print_items(shown, Output())
    written = answers.written()
    print_result(written, as_json, show_written)
    if world_size() > 1:
        from vidgru.engine.distributed import exchange

        sys.stdout.flush()
        exchange("")  # all stay until the main process has printed
    elif written.failures:
        click.get_current_context().exit(1)
