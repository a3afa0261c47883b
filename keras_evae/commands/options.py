"""What the commands have in common: how they are explained, and the options that name a configuration."""

from __future__ import annotations

import argparse

from keras_evae import __version__


def new_parser(description: str | None, epilog: str) -> argparse.ArgumentParser:
    """A parser with `--version`, whose epilog keeps its lines."""
    parser = argparse.ArgumentParser(
        description=description, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def add_config(parser: argparse._ActionsContainer, required: bool = False) -> None:
    help = "YAML file, or the name of a configuration of the package, such as quickstart"
    parser.add_argument("--config", required=required, metavar="NAME", help=help)


def add_overrides(parser: argparse.ArgumentParser, example: str) -> None:
    help = f"override one value of the configuration, such as {example}; repeatable"
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help=help)
