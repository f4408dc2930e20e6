select full_at from buckets where queue = ?1
