"""The `vidgru` command: finds the verb, and reports every expected error as one sentence."""

import atexit
import difflib
import errno
import gc
import importlib
import logging
import os
import signal
import sys
import time
from typing import Any

import click

from vidgru.core.address import masked_within
from vidgru.core.errors import OptionError, VidgruError
from vidgru.core.text import NOTE, printable
from vidgru.tasks.registry import PACKAGES, command_of
from vidgru.terminal.progress import room, start_lines

# Each verb's module is imported only when called, so that help needs neither torch nor OpenCV.
VERBS = {
    "check": ("vidgru.tasks.classify.check_cli", "Check a folder of clips before training."),
    "train": ("vidgru.cli.train", "Train a model on a folder of clips."),
    "compare": (
        "vidgru.tasks.classify.compare_cli",
        "Train several recurrent cores on the same clips and rank them.",
    ),
    "evaluate": (
        "vidgru.cli.evaluate",
        "Measure a model on clips that it was not trained on.",
    ),
    **{verb: (module, summary) for verb, module, summary in map(command_of, PACKAGES)},
    "explain": (
        "vidgru.tasks.classify.explain.cli",
        "Show which frames and places of a video a prediction comes from.",
    ),
    "export": ("vidgru.cli.export", "Write a model as an ONNX file that runs without vidgru."),
    "changes": (
        "vidgru.tools.changes.cli",
        "Detect what appeared, vanished or moved before a fixed camera.",
    ),
    "extract": ("vidgru.tools.extract.cli", "Write frames of videos as images."),
    "label": ("vidgru.tools.label.cli", "Label videos in the browser, for training."),
}

SPIN = {"GOMP_SPINCOUNT": "2000"}  # how often a thread of torch looks before it sleeps, in loops
PATIENCE = 20  # seconds; torchrun ends the processes that wait


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(VERBS[cmd_name][0])
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called; name the nearest one where there is none."""
        if (near := difflib.get_close_matches(args[0], VERBS, n=1)) and near[0] != args[0]:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, summary) for verb, (_, summary) in VERBS.items()])


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vidgru", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the full traceback of an error.")
def cli(debug: bool) -> None:
    """Train a video classifier on a folder of clips, then predict what any video shows."""


class _Messages(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _say("Warning" if record.levelno >= logging.WARNING else None, record.getMessage())


def main(args: list[str] | None = None) -> None:
    """Run the command line; exit codes are 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    words = sys.argv[1:] if args is None else args
    # Torch's threads wait for each other actively, by default for long, although another program
    # may have the core that the other thread needs. What the user has set counts.
    if not {"OMP_WAIT_POLICY", *SPIN} & {*os.environ}:
        os.environ.update(SPIN)
    debug = "--debug" in words
    # Accepted before and after the verb, since that is where people add it.
    words = [word for word in words if word != "--debug"]
    log = logging.getLogger("vidgru")
    log.handlers = [_Messages()]
    level = log.level
    log.setLevel(NOTE)
    if {"-q", "--quiet"} & {*words}:
        log.setLevel(logging.WARNING)
    elif sys.stderr.isatty():  # to a person who looks
        log.setLevel(logging.INFO)
    # Otherwise Python looks through all modules for garbage once more, only to end.
    atexit.register(gc.freeze)
    silent = _is_silent(words) and not debug
    if silent:
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        # Waiting for the others, it would not notice a signal otherwise.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    else:
        signal.signal(signal.SIGTERM, _interrupt)
        # A closed terminal ends the job as Ctrl-C does, unless it is to outlive that.
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, _interrupt)
        if _is_other():
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    code = 1
    start_lines()
    try:
        code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of the output is gone (`| head`); nobody would read a message.
        _drop_output()
    except (VidgruError, OSError, MemoryError) as error:
        if debug:
            raise
        try:
            sys.stdout.flush()
        except OSError:  # Python would try once more at its end, and say so
            _drop_output()
        _say("Error", _sentence(error))
        code = 2 if isinstance(error, OptionError) else 1
    except KeyboardInterrupt as error:
        if debug:
            raise
        _say("Stopped", str(error) or "Interrupted.")
        code = 130
    finally:
        log.setLevel(level)
        # From here on Python has nothing to say of a signal but a traceback.
        for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
            if signal.getsignal(number) is _interrupt:
                signal.signal(number, signal.SIG_DFL)
    if silent and code:
        # Torchrun ends all as soon as one fails; the first must have its time to say why.
        time.sleep(PATIENCE)
    sys.exit(code)


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(words: list[str]) -> Any:
    try:
        return cli.main(words or ["--help"], prog_name="vidgru", standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.Abort as stop:
        # Click makes this of Ctrl-C; the verb's own message is in the cause.
        raise KeyboardInterrupt(*getattr(stop.__cause__, "args", ())) from stop
    except click.ClickException as wrong:
        if isinstance(wrong, click.UsageError) and wrong.ctx is not None:
            print(wrong.ctx.get_usage(), file=sys.stderr)
        named = [word for word in words if word.startswith("-") and os.path.lexists(word)]
        advice = f" For the file {named[0]}, write ./{named[0]}." if named else ""
        _say("Error", wrong.format_message() + advice)
        return wrong.exit_code


def _is_silent(words: list[str]) -> bool:
    """Return whether another process of torchrun prints for this one."""
    return words[:1] in (["train"], ["compare"]) and _is_other()


def _is_other() -> bool:
    """Return whether this is not the first of the processes that torchrun started."""
    return "LOCAL_RANK" in os.environ and os.environ.get("RANK", "0") != "0"


def _interrupt(signum: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _sentence(error: BaseException) -> str:
    if isinstance(error, VidgruError):
        return str(error)
    if isinstance(error, OSError):
        where = f" {error.filename}" if error.filename else ""
        if error.errno == errno.ENOSPC and not where:
            return "Cannot write the output: its disk is full. Make room, or write it elsewhere."
        return f"Cannot use{where}: {error.strerror or error}." if where else f"{error}."
    return "Out of memory: use a smaller --size, --frames or --batch-size."


def _say(kind: str | None, sentence: str) -> None:
    text = printable(masked_within(sentence))  # any option may have been given an address
    with room():
        print(f"{kind}: {text}" if kind else text, file=sys.stderr)
