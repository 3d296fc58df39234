"""Start-up: `import likelens` and `likelens --help`, over a bare interpreter.

python -m bench.imports
"""

from __future__ import annotations

import subprocess
import sys

from bench.timing import in_turns, median, print_table

CODE = {
    "a bare interpreter": "pass",
    "import likelens": "import likelens",
    "likelens --help": "import likelens.cli; likelens.cli.main(['--help'])",
    "import numpy": "import numpy",
}


def main() -> None:
    ways = {
        name: lambda code=code: subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True
        )
        for name, code in CODE.items()
    }
    seconds = in_turns(ways, 11)
    bare = median(seconds["a bare interpreter"])
    rows = [
        [name, f"{median(times) * 1e3:.0f} ms", f"{(median(times) - bare) * 1e3:.0f} ms"]
        for name, times in seconds.items()
    ]
    print_table(["start", "whole process", "above bare"], rows)


if __name__ == "__main__":
    main()
