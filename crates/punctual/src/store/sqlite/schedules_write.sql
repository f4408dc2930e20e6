update schedules set rev = ?2, next = ?3, standing = ?4, plan = ifnull(?5, plan) where id = ?1
