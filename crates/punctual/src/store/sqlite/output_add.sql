insert into outputs (job, run, at, bytes) values (?1, ?2, ?3, ?4)
