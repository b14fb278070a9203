"""`python -m incrlearn` is `incrlearn`."""

import sys

from .cli import main

sys.exit(main())
