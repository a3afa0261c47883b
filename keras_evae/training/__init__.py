"""Training a run: what is missing of it, stage by stage, and the search for the gamma of the collapse."""
