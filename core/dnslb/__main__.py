"""`python -m dnslb`."""

import sys

from dnslb.cli import main

sys.exit(main())
