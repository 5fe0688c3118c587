"""The command line: flags to a call of a command, and one exit status per class of failure."""

from __future__ import annotations

import argparse
import importlib
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence

from rancheros_ec2_metadata import __version__, options
from rancheros_ec2_metadata.commands import AT_BOOT
from rancheros_ec2_metadata.commands.call import Call, Terminal
from rancheros_ec2_metadata.commands.table import COMMANDS, Command, named
from rancheros_ec2_metadata.errors import (
    Ec2MetadataError,
    ExitStatus,
    Note,
    UsageError,
    error,
    warning,
)
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.settings import Settings

PROGRAM = "rancheros-ec2-metadata"
_EXIT_STATUSES = """\
exit status: 0 done, 1 a bug, 2 wrong usage, 3 not on EC2, 4 EC2 said it only in part,
5 a file, 6 a required tag never came, 7 the deadline passed, 10 plan: something would change,
11 check: something was found.
"""


def main(arguments: Sequence[str], terminal: Terminal) -> int:
    """Run one command and return its exit status."""
    log = Log(terminal.err, "--debug" in arguments, terminal.kmsg, terminal.patience)
    return _guarded(lambda: _run(arguments, terminal, log), log)


def _guarded(run: Callable[[], int], log: Log) -> int:
    """Return the exit status of ``run``, also where it raises: no traceback reaches an operator."""
    try:
        return run()
    except UsageError as wrong:
        log.note(wrong.note())
        log.last(f"nothing was touched; see {PROGRAM} --help; exit {int(ExitStatus.USAGE)}")
        return ExitStatus.USAGE
    except Ec2MetadataError as known:
        log.note(known.note())
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        raise  # for `start`: nobody reads what is printed
    except Exception as bug:  # noqa: BLE001 - the promise above
        _report(bug, log)
    log.last(f"exit {int(log.status())}")
    return log.status()


def _report(bug: BaseException, log: Log) -> None:
    """Log a bug of ours: one line, and with --debug the traceback."""
    text = f"this is a bug of {PROGRAM} {__version__}: {type(bug).__name__}; please report it"
    log.note(error(ExitStatus.BUG, text))
    if log.debug:
        # Without the message: what it quotes may be anybody's.
        for line in "".join(traceback.format_tb(bug.__traceback__)).splitlines():
            log.line(line)


def _run(arguments: Sequence[str], terminal: Terminal, log: Log) -> int:
    said, flags = named(arguments)
    name = said or "apply"
    command = COMMANDS[name]
    try:
        given = _parser(said, command).parse_args(flags)
    except SystemExit as done:  # --help and --version
        terminal.print([])
        return int(done.code or 0)
    settings, waited = Settings(), 0.0
    if command.has_settings:
        settings = options.settings(given, terminal.environ)
        _warn_of_unknown(terminal.environ, log.hold if name in AT_BOOT else log.note)
        log.debug = settings.debug
    if name == "apply":
        waited = _splay(settings, terminal, log)
    elif name in AT_BOOT:
        terminal.run_for(settings.deadline)
    # Only now: --help, and what is wrong, need none of it.
    module = importlib.import_module(f"{__package__}.commands.{name.replace('-', '_')}")
    run: Callable[[Call], int] = module.run
    return run(Call(given, settings, terminal, log, waited))


def _parser(name: str, command: Command) -> options.Parser:
    """Return the parser of a command; ``name`` is empty where none is named."""
    described = [command.about, *([] if name else _list_of_commands())]
    parser = options.Parser(
        prog=PROGRAM,
        usage=f"{PROGRAM} {name or '[COMMAND]'} [FLAG ...]",
        description="\n".join([*described, "examples:", *_examples(command)]),
        epilog=_EXIT_STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    command.add_flags(parser)
    if command.has_settings:
        options.add_to(parser)
    return parser


def _list_of_commands() -> Iterator[str]:
    yield "commands, each with a --help of its own:"
    width = max(map(len, COMMANDS))
    for name, command in COMMANDS.items():
        yield f"  {name:{width}}  {command.summary}"
    yield ""


def _examples(command: Command) -> Iterator[str]:
    for arguments, what in command.examples:
        yield f"  {PROGRAM} {arguments}"
        yield f"      {what}"


def _warn_of_unknown(environ: Mapping[str, str], say: Callable[[Note], None]) -> None:
    known = {option.variable for option in options.OPTIONS}
    for name in sorted(environ):
        if name.startswith("AWS_METADATA_") and name not in known:
            say(warning(f"variable {name} is not one this program knows; ignored"))


def _splay(settings: Settings, terminal: Terminal, log: Log) -> float:
    """Wait as long as --splay says; return the seconds, of which the deadline knows nothing."""
    pause = 0.0
    if settings.splay:
        from rancheros_ec2_metadata import splay  # noqa: PLC0415 - not at boot
        from rancheros_ec2_metadata.ec2.firmware import detect  # noqa: PLC0415 - as above

        pause = splay.pause(settings.splay, detect(settings.root))
    terminal.run_for(pause + settings.deadline)
    if pause:
        log.line(f"waiting {pause:.1f} s of up to {settings.splay:g} s first (--splay)")
        time.sleep(pause)
    return pause
