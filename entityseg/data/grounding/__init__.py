"""Ground truth of texts: referring expressions, narratives, reasoning questions; read from their own layouts."""
