-- How long a worker's last beat leased its runs, in microseconds: it beats each third of it.
alter table workers add column lease integer not null default 30000000;
