"""`vidgru compare`: find the core that classifies a folder of clips best."""

from typing import Any

import click

from vidgru.tasks.classify.options import ClassifyTrainConfig, CompareConfig
from vidgru.terminal.options import (
    TRAIN_GROUPS,
    GroupedCommand,
    config_options,
    json_option,
    quiet_option,
)

GROUPS = {
    **TRAIN_GROUPS,
    "Main options": "core input seeds group-by val epochs minutes flip init out",
}


@click.command("compare", cls=GroupedCommand, groups=GROUPS)
@click.argument("folder")
@config_options(CompareConfig)
@config_options(
    ClassifyTrainConfig,
    without=("task", "core", "input", "folds", "pack"),
    minutes="Time for each training, instead of --epochs; slow variants then take fewer steps.",
    seed="First random seed; all variants get the same split.",
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
    """Train several recurrent cores on the clips in FOLDER and rank them.

    FOLDER is as for `train`. Each core is trained with each input and several seeds on the same
    clips. All models are kept.
    """
    choice, config = CompareConfig(core, input, seeds), ClassifyTrainConfig(**options)
    from vidgru.tasks.classify.compare import compare_steps
    from vidgru.tasks.classify.score_tables import show_comparison
    from vidgru.terminal.progress import follow
    from vidgru.terminal.tables import print_result

    result = follow(compare_steps(folder, config, choice), quiet)
    print_result(result, as_json, show_comparison)
