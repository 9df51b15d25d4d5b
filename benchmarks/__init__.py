"""Benchmarks of entityseg: `perf` holds the speed and memory benchmarks."""
