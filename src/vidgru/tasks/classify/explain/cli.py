"""`vidgru explain`: show what a prediction comes from."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidgru.core.errors import OptionError
from vidgru.tasks.classify.explain.options import ExplainConfig
from vidgru.terminal.options import (
    config_options,
    json_option,
    quiet_option,
    report_model,
    source_arguments,
)

FILES = (".html", ".png", ".mp4", ".json")  # which are written into a folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidgru.core.results import Failure
    from vidgru.tasks.classify.classifier import Steps
    from vidgru.tasks.classify.explain.results import Explanation
    from vidgru.tasks.classify.model import Model


@click.command("explain")
@source_arguments
@click.option("-o", "--out", required=True, metavar="DIR", help="Folder for the files.")
@config_options(ExplainConfig)
@json_option
@quiet_option
def command(sources: tuple[str, ...], out: str, as_json: bool, quiet: bool, **options: Any) -> None:
    """Show which frames and which places of a video a prediction comes from.

    SOURCE is a video, an image, a folder of images, or a folder to search for videos. For one
    SOURCE, explanation.html, .png, .mp4 and .json are written into DIR; for several, into a folder
    each. With --summary, summary.json and .png are of all of them.
    """
    config = ExplainConfig(**options)
    if Path(out).suffix.lower() in FILES and not Path(out).is_dir():
        raise OptionError(f"--out {out} looks like a file: give a folder, for several files.")
    from vidgru.core.files import check_folder
    from vidgru.engine.inference import each
    from vidgru.tasks.classify.classifier import find_model
    from vidgru.tasks.classify.explain.results import Explanation
    from vidgru.tasks.classify.explain.save import paths_in, summary_paths_in
    from vidgru.tasks.classify.explain.tables import show_explanation
    from vidgru.tasks.classify.model import load
    from vidgru.terminal.source_loop import Output, print_sources
    from vidgru.video.find import find_sources
    from vidgru.video.output_paths import plan_folders, refuse_overwriting_sources

    path = find_model(config)
    report_model(path, config, quiet)
    model = load(path, device=config.device, threads=config.threads)
    found = find_sources(sources, images=model.spec.frames == 1)
    if config.summary:
        check_folder(Path(out))
        read = [item for item in found if isinstance(item, Path)]
        refuse_overwriting_sources(summary_paths_in(Path(out)), read)
        _summarize(model, found, Path(out), as_json, quiet)
        return
    folders = plan_folders(out, "", sources, found)
    written = [path for folder in folders.values() for path in paths_in(folder)]
    refuse_overwriting_sources(written, folders)
    given = (config.label, config.against, config.method, config.start, config.end)

    def steps(source: Path) -> "Steps[Explanation]":
        return model.explain_steps(source, *given)

    output = Output(
        as_json=as_json,
        json_types=(Explanation,),
        show={Explanation: show_explanation},
        save={
            Explanation: partial(_save, model=model, folders=folders, end=config.end, quiet=quiet)
        },
    )
    interrupted = "{done} of {total} sources were explained."
    if print_sources(each(found, steps), len(found), output, quiet=quiet, interrupted=interrupted):
        click.get_current_context().exit(1)


def _summarize(
    model: "Model", found: "Sequence[Path | Failure]", out: Path, as_json: bool, quiet: bool
) -> None:
    """Print and write the summary of all sources; exit with 1 where one could not be read."""
    from vidgru.tasks.classify.explain.save import save_summary
    from vidgru.tasks.classify.explain.summary import summary_steps
    from vidgru.tasks.classify.explain.tables import show_summary
    from vidgru.terminal.progress import follow
    from vidgru.terminal.source_loop import print_saved
    from vidgru.terminal.tables import print_result

    summary, failures = follow(summary_steps(model, found), quiet)
    print_result(summary, as_json, show_summary)
    if print_saved([*failures, *save_summary(summary, out)], quiet):
        click.get_current_context().exit(1)


def _save(
    explanation: "Explanation",
    model: "Model",
    folders: dict[Path, Path],
    end: float | None,
    quiet: bool,
) -> bool:
    """Write the files of an explanation; return whether that failed."""
    from vidgru.core.errors import OutputError, VideoError
    from vidgru.core.results import Failure
    from vidgru.tasks.classify.explain.save import save_steps
    from vidgru.terminal.progress import follow
    from vidgru.terminal.source_loop import print_saved

    source = Path(explanation.source)
    try:
        saving = save_steps(explanation, source, folders[source], model.path, model.spec.fps, end)
        return print_saved(follow(saving, quiet), quiet)
    except (VideoError, OutputError) as error:
        return print_saved([Failure(explanation.source, str(error))], quiet)
