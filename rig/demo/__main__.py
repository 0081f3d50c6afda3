"""`python -m rig.demo`."""

import sys

from rig.demo.run import main

sys.exit(main())
