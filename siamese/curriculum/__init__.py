"""The siamese paper's curriculum: from similar to distinct pairs of emotions, and one emotion more at a time."""
