"""`python -m zoo`, the command of jobs and of the ranks of a run on several processes."""

import sys

from zoo.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
