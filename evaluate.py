"""Makes the paper's figures from trained runs: the command evae-evaluate, in a checkout."""

import sys

from keras_evae.commands.evae_evaluate import main

if __name__ == "__main__":
    sys.exit(main())
