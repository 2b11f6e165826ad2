"""Statistics of the gates: arrays and Distributions in, numbers out; each formula names its paper."""
