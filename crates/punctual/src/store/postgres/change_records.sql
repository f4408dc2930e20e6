insert into punctual.records (kind, name, rev, document) values ($1, $2, $3, $4)
on conflict (kind, name) do update set rev = excluded.rev, document = excluded.document
