"""All that learning needs: data sets, splits, towers, losses, sampling, training and checkpoints."""
