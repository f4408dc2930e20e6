-- A write for a check, where it is not known that a write is taken. Nobody reads this row.
insert into punctual.records (kind, name, rev, document) values ('check', 'write', 1, '')
on conflict (kind, name) do update set rev = records.rev + 1
