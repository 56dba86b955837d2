"""`vidgru export`: write a model as an ONNX file."""

from typing import Any

import click

from vidgru.commands.export_config import ExportConfig
from vidgru.terminal.options import config_options, json_option, quiet_option


@click.command("export")
@click.argument("model", metavar="RUN")
@config_options(ExportConfig)
@json_option
@quiet_option
def command(model: str, as_json: bool, quiet: bool, **options: Any) -> None:
    """Write a model as an ONNX file, for onnxruntime on any machine.

    RUN is a run folder, a model file, or motion or scenes for the models that come with vidgru. The
    file takes one frame and the state, and gives the results and the next state. It is run on 1 to
    200 frames and compared with torch, and written only if both give the same. `vidgru predict
    --model` reads the files of classifiers.
    """
    config = ExportConfig(**options)
    from vidgru.cli.export_tables import show_export
    from vidgru.commands.export import export
    from vidgru.terminal.tables import print_result

    print_result(export(model, config), as_json, show_export)
