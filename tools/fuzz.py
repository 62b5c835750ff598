"""Random NumPy programs, each checked against NumPy, differences, the other mode and its replays.

    PYTHONPATH=python python tools/fuzz.py --cases 100000 [--seed 0] [--seconds 3600]

Prints a reproducer for each failure (the shortest program that fails alike) and a summary by kind.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "python"))

from fuzzing.checks import failure, reproducer  # noqa: E402
from fuzzing.programs import random_program, usable  # noqa: E402
from fuzzing.steps import TEMPLATES  # noqa: E402

MOST_SHOWN = 3  # reproducers of one kind of failure


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first case")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{len(usable())} of {len(TEMPLATES)} statements can be recorded", flush=True)
    kinds: Counter[str] = Counter()
    begin = time.monotonic()
    done = 0
    for seed in range(given.seed, given.seed + given.cases):
        if time.monotonic() - begin > given.seconds:
            break
        program = random_program(seed)
        wrong = failure(program, seed)
        done += 1
        if wrong is not None:
            kinds[wrong.what] += 1
            if kinds[wrong.what] <= MOST_SHOWN:
                print(reproducer(program, seed, wrong), flush=True)
        if done % 1000 == 0:
            print(f"{done} cases, {sum(kinds.values())} wrong", flush=True)
    print(f"{done} cases from seed {given.seed} in {time.monotonic() - begin:.0f} s")
    for what, count in kinds.most_common():
        print(f"{count:6d} {what}")
    return 1 if kinds else 0


if __name__ == "__main__":
    sys.exit(main())
