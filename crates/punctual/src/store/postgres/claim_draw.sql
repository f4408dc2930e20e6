insert into punctual.buckets (queue, full_at) values ($1, $2) on conflict (queue) do update set full_at = excluded.full_at
