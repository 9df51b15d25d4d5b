"""Statistics of datasets: shapes of masks, tables and figures of the papers, agreement of annotators."""
