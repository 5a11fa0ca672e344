"""How noisyfit trains networks (private: no name in here is part of the interface).

Read in this order: `rows` cuts batches from the features, `plan` says which rows one epoch
trains on, `network` is the skorch net that runs epochs, `screening` and `coreset` are the
phases that CRUST is made of.
"""
