"""`vidgru compare`: tell which core learns a folder of clips best."""

from typing import Any

import click

from vidgru.cli.options import config_options, json_option, quiet_option
from vidgru.train_config import CompareConfig, TrainConfig


@click.command("compare")
@click.argument("folder")
@config_options(CompareConfig)
@config_options(
    TrainConfig,
    without=("task", "core", "input", "folds", "ahead", "grey"),
    minutes="Time for each training instead of epochs; slow variants then take fewer steps.",
    seed="First seed; it also splits the clips, the same way for all.",
    out="Folder of run folders to write; must be new. Default: runs/<folder>-compare-<number>.",
)
@json_option
@quiet_option
def command(
    folder: str,
    core: tuple[str, ...],
    input: tuple[str, ...],
    seeds: int,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Tell which core learns the classes in FOLDER best, and at what cost.

    FOLDER is as for `train`. Each core, with each input, is trained on the same clips with several
    seeds, and all models are kept.
    """
    choice, config = CompareConfig(core, input, seeds), TrainConfig(**options)
    from vidgru.cli.progress import follow
    from vidgru.cli.render import show_comparison
    from vidgru.cli.tables import print_result
    from vidgru.findings import Comparison
    from vidgru.verbs.compare import compare_steps

    result = follow(compare_steps(folder, config, choice), quiet)
    print_result(result, as_json, {Comparison: show_comparison})
