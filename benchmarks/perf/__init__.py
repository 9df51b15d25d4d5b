"""Speed and memory against peers; see `python -m entityseg.benchmarks.perf --help`."""
