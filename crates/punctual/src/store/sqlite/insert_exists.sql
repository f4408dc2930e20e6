select fingerprint from jobs where id = ?1
