"""Starts programs one after the other and measures each; imports nothing that it can do without.

A process counts the memory of the one that it was forked from into its own peak, so the one that
starts programs has to be smaller than they are.

Reads commands from standard input: words ended by NUL, an empty word after the last; of the words
before the first ``--`` each is a variable of the environment. Answers with a line of numbers for
each: seconds of wall time, of user and of system time, bytes of peak memory, exit status.
"""

import os
import sys
import time


def _words() -> list[str]:
    words = []
    while word := _word():
        words.append(word)
    return words


def _word() -> str:
    read = bytearray()
    while (byte := sys.stdin.buffer.read(1)) not in (b"", b"\0"):
        read += byte
    return read.decode()


def _measured(argv: list[str], environ: dict[str, str]) -> str:
    started = time.perf_counter()
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(null, descriptor)
        os.execve(argv[0], argv, environ)
    _, status, used = os.wait4(child, 0)
    wall = time.perf_counter() - started
    code = os.waitstatus_to_exitcode(status)
    return f"{wall} {used.ru_utime} {used.ru_stime} {used.ru_maxrss * 1024} {code}\n"


while command := _words():
    split = command.index("--")
    variables = dict(word.split("=", 1) for word in command[:split])
    sys.stdout.write(_measured(command[split + 1 :], variables))
    sys.stdout.flush()
