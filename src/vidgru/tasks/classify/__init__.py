"""Classification of clips and videos."""
