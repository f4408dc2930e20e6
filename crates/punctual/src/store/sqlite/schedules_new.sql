insert into schedules (id, rev, next, standing, plan, name, created) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
