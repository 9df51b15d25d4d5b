"""Runs models on tasks, shard by shard, and scores what they predict."""
