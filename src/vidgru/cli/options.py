"""Click options made from the config dataclasses, so that defaults and help stand in one place."""

import dataclasses
import types
import typing
from collections.abc import Callable
from typing import Any

import click


def config_options(config: type, *only: str) -> Callable[[Any], Any]:
    """Return a decorator that adds one option for each field of a config dataclass (or `only`)."""
    hints = typing.get_type_hints(config)

    def decorate(command: Any) -> Any:
        for item in reversed(dataclasses.fields(config)):
            if not only or item.name in only:
                command = _option(item, hints[item.name])(command)
        return command

    return decorate


def _option(item: dataclasses.Field[Any], hint: Any) -> Callable[[Any], Any]:
    name = "--" + item.name.replace("_", "-")
    text = item.metadata["help"]
    if hint is bool:
        return click.option(name, item.name, is_flag=True, default=item.default, help=text)
    if isinstance(hint, types.UnionType):
        hint = next(kind for kind in typing.get_args(hint) if kind is not types.NoneType)
    choices = item.metadata.get("choices")
    kind = click.Choice(choices) if choices else hint
    return click.option(
        name,
        item.name,
        type=kind,
        default=item.default,
        show_default=item.default is not None,
        metavar=item.metadata.get("metavar"),
        help=text,
    )


def source_arguments(command: Any) -> Any:
    """Add the SOURCE... argument: files and folders, checked one by one where they are opened."""
    return click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")(command)


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
quiet_option = click.option("--quiet", "-q", is_flag=True, help="No progress on stderr.")
