"""What the commands have in common: how they are explained, and the options that name a configuration."""

from __future__ import annotations

import argparse
from typing import NoReturn

from keras_evae import __version__
from keras_evae.errors import ConfigError


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as the commands say everything that is."""

    def error(self, message: str) -> NoReturn:
        self.exit(ConfigError.exit_code, f"error: {message}; see {self.prog} --help\n")


def new_parser(name: str, description: str | None, epilog: str) -> argparse.ArgumentParser:
    """A parser with `--version`, whose epilog keeps its lines."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = _Parser(name, description=description, epilog=epilog, formatter_class=layout)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def add_config(parser: argparse._ActionsContainer, required: bool = False) -> None:
    help = "YAML file, or the name of a configuration of the package, such as quickstart"
    parser.add_argument("--config", required=required, metavar="NAME", help=help)


def add_overrides(parser: argparse.ArgumentParser, example: str) -> None:
    help = f"override one value of the configuration, such as {example}; repeatable"
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help=help)
