"""Speed against other frameworks. Each module is run by itself: `python -m benchmarks.tagger_step`."""
