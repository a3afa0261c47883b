"""What the commands have in common: how they are explained, their numbers, the options that name a configuration."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from pydantic import TypeAdapter, ValidationError

from keras_evae import __version__
from keras_evae.config_text import Workers, expected_value, parse_yaml
from keras_evae.console import run_command
from keras_evae.errors import ConfigError, one_line


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as the commands say everything that is."""

    def error(self, message: str) -> NoReturn:
        self.exit(ConfigError.exit_code, f"error: {one_line(message)}; see {self.prog} --help\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        with contextlib.suppress(BrokenPipeError):
            super()._print_message(message, file)
            (file or sys.stderr).flush()


def new_parser(name: str, description: str | None, epilog: str) -> argparse.ArgumentParser:
    """A parser with `--version`, whose epilog keeps its lines."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = _Parser(name, description=description, epilog=epilog, formatter_class=layout)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def make_main(make_parser: Callable[[], argparse.ArgumentParser], command: Callable[[argparse.Namespace], None]):
    """The function `main` of a command: arguments, those of the process by default, to its exit code."""

    def main(arguments: Sequence[str] | None = None) -> int:
        options = make_parser().parse_args(arguments)
        return run_command(lambda: command(options))

    return main


def number(kind: Any) -> Callable[[str], Any]:
    """The `type` of an option whose value is written, and bounded, as in a configuration: `Count`, `Seed`, ..."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def read(text: str) -> Any:
        try:
            return adapter.validate_python(parse_yaml(text, "value"), strict=True)
        except ValidationError as error:
            raise argparse.ArgumentTypeError(expected_value(error.errors()[0])) from error
        except ConfigError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return read


def add_config(parser: argparse._ActionsContainer, required: bool = False) -> None:
    help = "YAML file, or the name of a configuration of the package, such as quickstart"
    parser.add_argument("--config", required=required, metavar="NAME", help=help)


def add_export(parser: argparse._ActionsContainer) -> None:
    help = "write the states for other programs too, beside the HDF5 file: OVF, VTK image data, or NPZ"
    parser.add_argument("--export", choices=("ovf", "vti", "npz"), help=help)


def add_workers(parser: argparse.ArgumentParser, verb: str) -> None:
    help = f"{verb} on a Dask cluster, such as tcp://127.0.0.1:8786, or on processes here: local (default: threads)"
    parser.add_argument("--scheduler", metavar="ADDRESS", help=help)
    help = "threads or local processes (default: all cores)"
    parser.add_argument("--workers", type=number(Workers), metavar="N", help=help)


def add_overrides(parser: argparse.ArgumentParser, example: str) -> None:
    help = f"override one value of the configuration, such as {example}; repeatable"
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help=help)
