"""Trains an E-VAE, such as: python train.py --config configs/quickstart.yaml. An installation calls it evae-train."""

import sys

from keras_evae.commands.evae_train import main

if __name__ == "__main__":
    sys.exit(main())
