insert into buckets (queue, full_at) values (?1, ?2) on conflict do update set full_at = excluded.full_at
