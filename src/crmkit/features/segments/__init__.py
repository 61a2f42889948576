"""Named conditions and lists of records: who meets them, who came and who left."""
