"""What clusters of five agents ask of a provider before, while and after it throttles them, with one of them dead.

    uv run nox -s bench -- tests/bench/bench_throttling.py

On the doubles of the clouds, `check_interval: 5s`, all at once. A member is killed, service and agent, as the
throttling begins; so from then on four agents are left to ask, and all of them want to write.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from throttling import Course, Phases, observe_all

MINUTE = 60.0
PHASES = Phases(before=MINUTE, throttled=2 * MINUTE, after=MINUTE)


def row(course: Course) -> Sequence[object]:
    first = sum(at < MINUTE for at in course.during)
    return (
        course.provider.name,
        course.provider.kind,
        len(course.before),
        f"{first} + {len(course.during) - first}",
        len(course.after),
        len(course.changes),
        f"{course.left_after:.0f} s",
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        courses = observe_all(Path(folder), PHASES)
    print(
        "| provider | throttled by | the minute before | two minutes during | the minute after | changes | left after |"
    )
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for course in courses:
        print("|", " | ".join(map(str, row(course))), "|")
        assert course.remaining == course.survivors


if __name__ == "__main__":
    main()
