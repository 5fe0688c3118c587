"""Machines' lives, until the program has run so often: ``python -m fuzz SEED RUNS [FIRST STEP]``.

A life that failed is lived again by ``python -m fuzz SEED 1 NUMBER``, in tests/.
"""

from __future__ import annotations

import itertools
import shutil
import sys
import tempfile
from pathlib import Path

from fuzz import shells
from fuzz.life import Life, Started

MEMORY = Path("/dev/shm")
LISTS_AT_ONCE = 2000


def live(name: str, folder: Path) -> Life:
    """Live one machine's life.

    Raises:
        AssertionError: something did not hold; it names the life.
    """
    life = Life(name, folder)
    try:
        for _ in range(life.rng.randint(1, 4)):
            life.run()
            life.happens()
        life.end()
    except Exception as wrong:
        where = f"in the life {name!r}, run {life.runs}, below {folder}"
        raise AssertionError(f"{where}: {wrong}\n{life.log}") from wrong
    return life


def check(started: list[Started]) -> None:
    """Check what dockerd would be started with, through a real bash."""
    of_shell = [one for one in started if one.shell]
    lists = [items for one in of_shell for items in (one.users, one.all)]
    found = iter(shells.evaluated(lists))
    argvs = {id(one): (next(found), next(found)) for one in of_shell}
    for one in started:
        users, now = argvs.get(id(one), (list(one.users), list(one.all)))
        try:
            _check(one, users, now)
        except AssertionError as wrong:
            where = f"in the life {one.where}: {one.users} {one.all} {one.planned}"
            raise AssertionError(f"{where}: {wrong}") from wrong


def _check(one: Started, users: list[str] | None, now: list[str] | None) -> None:
    if one.planned is None and one.all == one.before:
        return
    if users is None:
        # What bash cannot read, the program leaves as it is.
        assert one.users == one.all
        assert not one.planned
        return
    assert now is not None
    theirs, others = shells.labels(users)
    all_labels, all_others = shells.labels(now)
    assert all_others == others
    if one.planned is not None:
        kept = [(key, value) for key, value in theirs if key not in one.planned]
        assert sorted(all_labels) == sorted([*kept, *one.planned.items()])


def main(seed: str, runs: int, first: int = 0, step: int = 1) -> int:
    """Live lives until the program has run ``runs`` times; print how often it labelled, refused.

    Args:
        seed: all chance is made of it and the life's number.
        runs: how often.
        first: number of the first life.
        step: to the number of the next one; several of us share the lives so.
    """
    done = labelled = refused = 0
    started: list[Started] = []
    shared = MEMORY if MEMORY.is_dir() else None
    base = Path(tempfile.mkdtemp(prefix="fuzz-", dir=shared))
    for number in itertools.count(first, step):
        life = live(f"{seed}/{number}", base / str(number))
        shutil.rmtree(base / str(number))
        done += life.runs
        labelled += life.labelled
        refused += life.refused
        started += life.started
        if done >= runs or len(started) >= LISTS_AT_ONCE:
            check(started)
            started.clear()
        if done >= runs:
            break
    base.rmdir()
    sys.stdout.write(f"{done} runs: {labelled} labelled, {refused} refused\n")
    return done


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
