"""Speed against other frameworks. Each benchmark is run by itself: `python -m benchmarks.tagger_step`."""
