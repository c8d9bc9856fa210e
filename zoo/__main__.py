"""`python -m zoo`, which is how jobs and the ranks of a multi-process run are started."""

import sys

from zoo.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
