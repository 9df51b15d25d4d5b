"""Videos: entities as tubes (YouTube-VIS, UVO) and panoptic frames with ids that stay (VIPSeg)."""
