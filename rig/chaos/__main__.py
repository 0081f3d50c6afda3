"""`python -m rig.chaos`."""

import sys

from rig.chaos.run import main

sys.exit(main())
