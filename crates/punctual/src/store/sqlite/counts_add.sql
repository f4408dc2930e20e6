insert into counts (queue, state, jobs) values (?1, ?2, ?3) on conflict do update set jobs = jobs + excluded.jobs
