"""Click options made from the config dataclasses, so that defaults and help stand in one place."""

import dataclasses
import sys
import types
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from vidgru.core.text import printable
from vidgru.engine.model_config import ModelConfig


def config_options(
    config: type, *, without: tuple[str, ...] = (), **texts: str
) -> Callable[[Any], Any]:
    """Return a decorator that adds one option for each field of a config dataclass.

    Or for all `without` some. `texts` are help texts, by field, that replace the config's own.
    """
    hints = typing.get_type_hints(config)

    def decorate(command: Any) -> Any:
        for item in reversed(dataclasses.fields(config)):
            if item.name not in without:
                text = texts.get(item.name, item.metadata["help"])
                if default := getattr(config, "defaults", {}).get(item.name):
                    text = f"{text} Default: {default}."
                choices = item.metadata.get("choices", ())
                command = _option(item, hints[item.name], text, choices)(command)
        return command

    return decorate


def task_options(configs: Sequence[Any], **texts: str) -> Callable[[Any], Any]:
    """Return a decorator that adds one option for each field of the tasks' configs.

    What each task takes where nothing is given, as `defaults` of its config has it, stands in the
    help text. `texts` are help texts, by field, that replace the config's own; these come first.
    """
    several: dict[str, list[tuple[Any, dataclasses.Field[Any]]]] = {}
    for config in configs:
        for item in dataclasses.fields(config):
            several.setdefault(item.name, []).append((config, item))

    def decorate(command: Any) -> Any:
        for name in reversed([*texts, *(name for name in several if name not in texts)]):
            same = several[name]
            config, first = same[0]
            text = texts.get(name, first.metadata["help"])
            defaults: list[dict[str, str]] = [getattr(owner, "defaults", {}) for owner, _ in same]
            if default := [words[name] for words in defaults if name in words]:
                text = f"{text} Default: {'; '.join(default)}."
            if len(same) == 1 and config is not configs[0]:
                task = next(f.default for f in dataclasses.fields(config) if f.name == "task")
                text = f"{text} With --task {task} only."
            choices = dict.fromkeys(c for _, item in same for c in item.metadata.get("choices", ()))
            hint = typing.get_type_hints(config)[name]
            command = _option(first, hint, text, list(choices))(command)
        return command

    return decorate


def _option(
    item: dataclasses.Field[Any], hint: Any, text: str, choices: Sequence[str]
) -> Callable[[Any], Any]:
    name = "--" + item.name.replace("_", "-")
    several = typing.get_origin(hint) is tuple
    if several:
        hint = typing.get_args(hint)[0]
    if isinstance(hint, types.UnionType):
        hint = next(kind for kind in typing.get_args(hint) if kind is not types.NoneType)
    if hint is bool:
        names = f"{name}/--no-{name[2:]}" if item.default is None else name
        return click.option(names, item.name, is_flag=True, default=item.default, help=text)
    kind = click.Choice(choices) if choices else hint
    return click.option(
        name,
        item.name,
        type=kind,
        multiple=several,
        default=item.default,
        show_default=item.default not in (None, ()),
        metavar=item.metadata.get("metavar"),
        help=text,
    )


def given(context: click.Context, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were not left at their defaults."""
    default = click.core.ParameterSource.DEFAULT
    return {k: v for k, v in options.items() if context.get_parameter_source(k) is not default}


def source_arguments(command: Any) -> Any:
    """Add the SOURCE... argument: files and folders, checked one by one where they are opened."""
    return click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")(command)


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
quiet_option = click.option("--quiet", "-q", is_flag=True, help="No progress on stderr.")


def report_model(path: Path, config: ModelConfig, quiet: bool) -> None:
    """Say which model was found, where none was given."""
    if config.model is None and not quiet:
        print(f"Model: {printable(str(path))}", file=sys.stderr)
