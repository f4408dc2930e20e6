-- What recurs. Plan and standing are JSON; an id has 16 bytes, so that also a row that cannot be read has a name for everybody.
create table schedules (
  id       blob    not null primary key check (length(id) = 16),
  name     text    not null unique,
  rev      integer not null,
  created  integer not null,
  next     integer,                -- when somebody has to look at it
  plan     text    not null,
  standing text    not null
) strict;

create index schedules_next on schedules (next, id) where next is not null;

-- What became of the nominal instants of schedules: a job was made, or they were skipped for a reason.
create table occurrences (
  schedule  blob    not null,
  nominal   integer not null,
  triggered integer not null,
  until     integer not null,
  count     integer not null,
  at        integer not null,
  cause     text    not null,
  reason    text,
  job       blob,
  missed    integer not null,
  primary key (schedule, nominal, triggered)
) strict, without rowid;
