"""`python -m tests.reference LAKE [OTHER]`: what is wrong in a lake, or what sets two lakes apart."""

from __future__ import annotations

import sys
from pathlib import Path

from . import compare, compare_lakes


def main(arguments: list[str]) -> int:
    """Write every difference on a line of its own; 1 when there is one."""
    match [Path(argument) for argument in arguments]:
        case [lake]:
            differences = compare(lake)
        case [lake, other]:
            differences = compare_lakes(lake, other)
        case _:
            sys.stderr.write(f"{__doc__}\n")
            return 2
    sys.stdout.writelines(f"{difference}\n" for difference in differences)
    return 1 if differences else 0


sys.exit(main(sys.argv[1:]))
