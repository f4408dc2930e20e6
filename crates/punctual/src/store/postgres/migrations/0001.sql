-- Instants are microseconds since the epoch, in UTC. What is not set is null. In every statement the schema is called
-- `punctual`; the store puts the name of its namespace in its place.
create table punctual.jobs (
  id            uuid     not null primary key,
  queue         text     not null collate "C",
  kind          text     not null collate "C",
  priority      smallint not null,
  created       bigint   not null,
  state         smallint not null,             -- 0 waiting, 1 running, 2 succeeded, 3 failed, 4 cancelled
  rev           bigint   not null,
  run           bigint   not null default 0,
  life          integer  not null default 1,
  attempt       integer  not null default 0,
  refunds       integer  not null default 0,
  due           bigint   not null,
  alarm         bigint,
  first_started bigint,
  started       bigint,
  ended         bigint,
  worker        text     collate "C",
  unique_key    text     collate "C",          -- the one that the row holds
  key_until     bigint,
  cancel        text,
  deferred      boolean  not null default false,
  failure       text,                          -- JSON, as are tags, options and history
  tags          text,
  options       text,
  fingerprint   uuid     not null,             -- 128 bits that name nothing
  life_key      text,                          -- the unique key that each life of the job takes
  history       text,
  progress      bytea,
  result        bytea,
  payload       bytea    not null
)
-- Each step of a job leaves a dead row behind. They are cleared away early and without pauses, while they are few and still in
-- memory. Giving the end of the file back to the disk would lock everybody out.
with (
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0,
  autovacuum_vacuum_insert_scale_factor = 0.2,
  autovacuum_analyze_scale_factor = 0.1,
  vacuum_truncate = false,
  toast.autovacuum_vacuum_cost_delay = 0,
  toast.vacuum_truncate = false
);

-- Each step moves a row between partial indexes, so that an index costs only the rows that are in it. There are few.
create index jobs_line on punctual.jobs (queue, priority, due, id) where state = 0;
create index jobs_alarm on punctual.jobs (state, alarm, id) where state = 1 or alarm is not null;
create index jobs_ended on punctual.jobs (queue, state, ended desc nulls last, id) where state >= 2;
create unique index jobs_key on punctual.jobs (unique_key) where unique_key is not null;

-- When the token bucket of a queue with a rate is full again.
create table punctual.buckets (
  queue   text   not null primary key collate "C",
  full_at bigint not null
) with (fillfactor = 50);

create table punctual.records (
  kind     text   not null collate "C",
  name     text   not null collate "C",
  rev      bigint not null,
  document bytea  not null,
  primary key (kind, name)
);

create table punctual.workers (
  id          text    not null primary key collate "C",
  host        text    not null,
  pid         bigint  not null,
  queues      text,                            -- a JSON list of names
  concurrency bigint  not null,
  running     bigint  not null,
  started     bigint  not null,
  stopping    boolean not null,
  beat        bigint  not null,
  lease       bigint  not null
) with (fillfactor = 50);

-- Pieces of the live output of runs, by the place of their first byte in all that was put out.
create table punctual.outputs (
  job   uuid   not null,
  run   bigint not null,
  at    bigint not null,
  bytes bytea  not null,
  primary key (job, run, at)
) with (
  autovacuum_vacuum_scale_factor = 0.05,
  autovacuum_vacuum_cost_delay = 0,
  vacuum_truncate = false
);

-- For people: the same jobs in words and instants. Nothing depends on it.
create view punctual.jobs_readable as
select
  id, queue, kind, priority,
  (array['waiting', 'running', 'succeeded', 'failed', 'cancelled'])[state + 1] as state,
  attempt, worker, unique_key,
  to_timestamp(created / 1e6) as created_at,
  to_timestamp(due / 1e6) as due_at,
  to_timestamp(alarm / 1e6) as alarm_at,
  to_timestamp(started / 1e6) as started_at,
  to_timestamp(ended / 1e6) as ended_at,
  tags, options, failure, cancel as cancel_reason,
  octet_length(payload) as payload_bytes, octet_length(result) as result_bytes,
  rev, run, life
from punctual.jobs;

-- The steps that this schema has had.
create table punctual.punctual_schema (
  version integer     not null primary key,
  at      timestamptz not null default now()
);
