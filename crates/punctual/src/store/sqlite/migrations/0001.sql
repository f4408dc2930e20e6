-- Instants are microseconds since the epoch, in UTC. Ids are the 16 bytes of a UUID. What is not set is null.
-- A row is written at each step of its job, so what is short and read by lists comes first, what is long comes last.
create table jobs (
  id            blob    not null primary key,
  queue         text    not null,
  kind          text    not null,
  priority      integer not null,
  created       integer not null,
  state         integer not null,  -- 0 waiting, 1 running, 2 succeeded, 3 failed, 4 cancelled
  rev           integer not null,
  run           integer not null,
  life          integer not null,
  attempt       integer not null,
  refunds       integer not null,
  due           integer not null,
  alarm         integer,
  first_started integer,
  started       integer,
  ended         integer,
  worker        text,
  unique_key    text,              -- the one that the row holds
  key_until     integer,
  cancel        text,
  deferred      integer not null,
  failure       text,              -- JSON, as are tags, options and history
  tags          text,
  options       text,
  fingerprint   blob    not null,
  life_key      text,              -- the unique key that each life of the job takes
  history       text,
  progress      blob,
  result        blob,
  payload       blob    not null
) strict;

-- Each step moves a row between partial indexes, so that an index costs only the rows that are in it. There are few.
create index jobs_line on jobs (queue, priority, due, id) where state = 0;
create index jobs_alarm on jobs (state, alarm, id) where state = 1 or alarm is not null;
create index jobs_ended on jobs (queue, state, ended desc, id) where state >= 2;
create unique index jobs_key on jobs (unique_key) where unique_key is not null;

-- How many jobs a queue has in a state: exact, written once a transaction.
create table counts (
  queue text    not null,
  state integer not null,
  jobs  integer not null,
  primary key (queue, state)
) strict, without rowid;

-- When the token bucket of a queue with a rate is full again.
create table buckets (
  queue   text    not null primary key,
  full_at integer not null
) strict, without rowid;

create table records (
  kind     text    not null,
  name     text    not null,
  rev      integer not null,
  document blob    not null,
  primary key (kind, name)
) strict, without rowid;

create table workers (
  id          text    not null primary key,
  host        text    not null,
  pid         integer not null,
  queues      text,                -- a JSON list of names
  concurrency integer not null,
  running     integer not null,
  started     integer not null,
  stopping    integer not null,
  beat        integer not null
) strict, without rowid;

-- Pieces of the live output of runs, by the place of their first byte in all that was put out.
create table outputs (
  job   blob    not null,
  run   integer not null,
  at    integer not null,
  bytes blob    not null,
  primary key (job, run, at)
) strict;
