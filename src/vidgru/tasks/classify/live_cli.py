"""`vidgru predict` of a camera or a network stream: a line that changes, or one for each answer."""

import json
import shutil
import sys
import time
from collections import Counter, deque
from contextlib import closing

import click
from rich.text import Text
from tqdm import tqdm

from vidgru.core.address import is_live, masked
from vidgru.core.errors import OptionError
from vidgru.core.text import clock, printable
from vidgru.tasks.classify.live import watch
from vidgru.tasks.classify.options import PredictConfig
from vidgru.tasks.classify.timeline import LiveMoment, LiveSummary
from vidgru.terminal.options import report_model
from vidgru.video.live import check_live, log_event
from vidgru.video.results import LiveEvent

# Options that make sense without an end.
OPTIONS = {"sources", "model", "device", "threads", "max_error", "torch", "looks"}
OPTIONS |= {"as_json", "quiet"}
BLOCKS = 10  # of the bar of the confidence


def any_live(sources: tuple[str, ...]) -> bool:
    """Return whether one source is live; raises OptionError unless it is the only one."""
    live = [source for source in sources if is_live(source)]
    if not live:
        return False
    if len(sources) > 1:
        raise OptionError(f"Give {masked(live[0])} as the only source: it is live and has no end.")
    context = click.get_current_context()
    default = click.core.ParameterSource.DEFAULT
    for param in context.command.params:
        name = str(param.name)
        if name not in OPTIONS and context.get_parameter_source(name) is not default:
            raise OptionError(f"Leave out {param.opts[0]}: {masked(live[0])} is live.")
    check_live(live[0])
    return True


def watch_live(source: str, config: PredictConfig, *, as_json: bool, quiet: bool) -> None:
    """Print the predictions for a live source until Ctrl-C, and then a summary.

    Exits 0 also after Ctrl-C, the regular end, but 1 when there was no prediction at all, or only
    of a part of a recording.
    """
    from vidgru.tasks.classify.backend import open_classifier
    from vidgru.tasks.classify.classifier import find_model

    path = find_model(config)
    report_model(path, config, quiet)
    model = open_classifier(path, **config.backend)
    screen = _Screen(masked(source), as_json, quiet)
    try:
        with closing(watch(model, source, screen.report)) as moments:
            for moment in moments:
                screen.show(moment)
    except KeyboardInterrupt:
        pass
    finally:
        screen.line.close()
    screen.sum_up()
    if screen.cut or not screen.answers:
        click.get_current_context().exit(1)


class _Screen:
    """Shows predictions: in a terminal by an updated line, else by a line per change of label."""

    def __init__(self, source: str, as_json: bool, quiet: bool) -> None:
        self.source, self.as_json, self.quiet = source, as_json, quiet
        self.began = time.monotonic()
        self.cut = False  # an incomplete recording
        self.answers: Counter[str] = Counter()
        self.last: LiveMoment | None = None
        self.recent: deque[float] = deque(maxlen=50)  # when predictions came
        seen = sys.stdout.isatty() and sys.stderr.isatty() and not (quiet or as_json)
        # tqdm makes room for warnings.
        self.line = tqdm(bar_format="{desc}", leave=False, disable=not seen)
        if seen:
            self.line.set_description_str(f"Connecting to {printable(source)} ...")
        elif not quiet:
            print(f"Connecting to {printable(source)} ...", file=sys.stderr)

    def report(self, event: LiveEvent) -> None:
        if self.as_json:
            print(json.dumps(event.to_dict()), flush=True)
        self.cut |= event.event == "cut"
        if event.error is not None:
            log_event(event)
        elif not self.quiet:
            tqdm.write(printable(event.sentence), file=sys.stderr)

    def show(self, moment: LiveMoment) -> None:
        before, self.last = self.last, moment
        self.answers[moment.called] += 1
        if self.as_json:
            print(json.dumps(moment.to_dict()), flush=True)
        elif not self.line.disable:
            self.recent.append(time.monotonic())
            self.line.set_description_str(self._fitted(moment), refresh=False)
            self.line.update()
        elif before is None or before.called != moment.called:
            share = f"{100 * moment.confidence:5.1f} %"
            print(f"{moment.time:9.2f} s  {share}  {printable(moment.called)}", flush=True)

    def _fitted(self, moment: LiveMoment) -> str:
        """Return the line, cut to the width of the terminal."""
        full = round(BLOCKS * moment.confidence)
        rate = (len(self.recent) - 1) / max(self.recent[-1] - self.recent[0], 1e-9)
        text = Text(
            f"{clock(moment.time, 0)}  {'█' * full}{'░' * (BLOCKS - full)} "
            f"{100 * moment.confidence:5.1f} %  {printable(moment.called)}  "
            f"{rate:.1f} predictions/s, {1000 * moment.delay:.0f} ms late, {moment.dropped} dropped"
        )
        text.truncate(shutil.get_terminal_size().columns - 1)
        return text.plain

    def sum_up(self) -> None:
        total, last = sum(self.answers.values()), self.last
        shares = {label: count / total for label, count in self.answers.most_common()}
        summary = LiveSummary(
            self.source,
            time.monotonic() - self.began,
            total,
            last.dropped if last else 0,
            last.reconnects if last else 0,
            shares,
        )
        if self.as_json:
            print(json.dumps(summary.to_dict()), flush=True)
            return
        print(
            f"Watched {printable(self.source)} for {clock(summary.seconds, 0)}: predictions"
            f" {total}, sampled frames dropped {summary.dropped}, reconnects {summary.reconnects}."
        )
        parts = [f"{printable(label)} {100 * share:.1f} %" for label, share in shares.items()]
        if parts:
            print(f"Predicted: {', '.join(parts)}.")
