"""Mask2Former, CropFormer and their multi-view peers, over parts of transformers."""
