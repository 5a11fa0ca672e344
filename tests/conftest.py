"""Set up before any test module is imported."""

import os

# Test workers run side by side, so each computes on one thread; processes that tests start
# (joblib, DataLoader) inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
