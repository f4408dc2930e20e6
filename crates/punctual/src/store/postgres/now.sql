select coalesce($1, (extract(epoch from statement_timestamp()) * 1000000)::bigint)
