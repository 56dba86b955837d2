"""Click options made from the config dataclasses, which hold all defaults and help texts."""

import dataclasses
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from vidgru.core.text import printable
from vidgru.engine.model_config import ModelConfig

# Options of training, by the title of their group in help; * stands for all others.
TRAIN_GROUPS = {
    "Main options": "task group-by val folds epochs minutes flip init out resume",
    "Data": ("val-folder split labels videos background background-videos overlap size frames fps"),
    "Model": "core encoder input gated-update preset looks looks-mean looks-std pack",
    "Training": "batch-size optimizer lr seed threads device",
    "Augmentation": "augment rotation shift shear zoom",
    "Output": "json quiet help",
    "Other tasks": "*",
}


class GroupedCommand(click.Command):
    """A command whose help shows its options in groups, such as TRAIN_GROUPS."""

    def __init__(self, *args: Any, groups: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.groups = groups

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each group that has options."""
        options = [item for item in self.get_params(ctx) if isinstance(item, click.Option)]
        names = {max(item.opts, key=len).lstrip("-"): item for item in options}
        grouped = {name for group in self.groups.values() for name in group.split()}
        for title, group in self.groups.items():
            chosen = group.split() if group != "*" else [n for n in names if n not in grouped]
            records = [names[name].get_help_record(ctx) for name in chosen if name in names]
            if records:
                with formatter.section(title):
                    formatter.write_dl([record for record in records if record])


def config_options(
    config: type, *, without: tuple[str, ...] = (), **texts: str
) -> Callable[[Any], Any]:
    """Return a decorator that adds one option for each field of a config dataclass.

    Except for `without`. `texts` are help texts, by field, that replace the config's own.
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

    The tasks' own defaults, from `defaults` of their configs, are appended to the help text.
    `texts` are help texts, by field, that replace the config's own; these come first.
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
                text = f"{text} Only with --task {task}."
            choices = dict.fromkeys(c for _, item in same for c in item.metadata.get("choices", ()))
            hint = typing.get_type_hints(config)[name]
            command = _option(first, hint, text, list(choices))(command)
        return command

    return decorate


def _option(
    item: dataclasses.Field[Any], hint: Any, text: str, choices: Sequence[str]
) -> Callable[[Any], Any]:
    # A field cannot be called `class`.
    name = "--" + item.metadata.get("flag", item.name).replace("_", "-")
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
    """Add the SOURCE... argument: files and folders, checked one by one when opened."""
    return click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")(command)


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per line."
)
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Show no progress.")


def report_model(path: Path, config: ModelConfig, quiet: bool) -> None:
    """Report which model was found, where none was given."""
    if config.model is None and not quiet:
        print(f"Model: {printable(str(path))}", file=sys.stderr)
