"""One call of the program: a command line to a command, and each class of failure to a status."""

from __future__ import annotations

import importlib
import io
import signal
import traceback
from collections.abc import Callable, Sequence

from rancheros_ec2_metadata import __version__, called_as, command_line, options
from rancheros_ec2_metadata.commands import AT_BOOT
from rancheros_ec2_metadata.commands.invocation import Invocation, Process
from rancheros_ec2_metadata.errors import Ec2MetadataError, ExitStatus, UsageError, error
from rancheros_ec2_metadata.log import Log


def main(arguments: Sequence[str], process: Process) -> int:
    """Run one command and return its exit status: no traceback reaches an operator."""
    if isinstance(process.out, io.TextIOWrapper):
        # Tags may hold characters that the terminal's encoding does not have.
        process.out.reconfigure(errors="backslashreplace")
    log = Log(process.err, debug="--debug" in arguments, kmsg=process.kmsg)
    try:
        return _run(arguments, process, log)
    except UsageError as wrong:
        log.note(wrong.note())
        named = arguments[:1] if arguments[:1] and arguments[0] in command_line.COMMANDS else ()
        help_of = " ".join((called_as(), *named, "--help"))
        log.last(f"nothing was touched; see {help_of}; exit {int(ExitStatus.USAGE)}")
        return ExitStatus.USAGE
    except Ec2MetadataError as known:
        log.note(known.note())
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 128 + signal.SIGPIPE  # the reader has closed the pipe, as in `show | head`
    except Exception as bug:  # noqa: BLE001 - the promise above
        what = f"{called_as()} {__version__}: {type(bug).__name__}"
        log.note(error(ExitStatus.BUG, f"this is a bug of {what}; please report it"))
        if log.debug:
            # Without the message: it may quote untrusted text.
            for line in "".join(traceback.format_tb(bug.__traceback__)).splitlines():
                log.line(line)
    log.last(f"exit {int(log.status())}")
    return log.status()


def _run(arguments: Sequence[str], process: Process, log: Log) -> int:
    try:
        command, given, settings = command_line.parse(arguments, process.environ)
    except SystemExit as done:  # --help and --version
        process.print([])
        return int(done.code or 0)
    log.debug = settings.debug
    if any(command in option.commands for option in options.OPTIONS):
        log.notes(options.find_unknown_variables(process.environ))
    if command in AT_BOOT:
        process.run_for(settings.deadline)
    # Imported only here: --help and usage errors do not need it.
    name = "apply" if command == "apply" else f"commands.{command.replace('-', '_')}"
    module = importlib.import_module(f"{__package__}.{name}")
    run: Callable[[Invocation], int] = module.run
    return run(Invocation(given, settings, process, log))
