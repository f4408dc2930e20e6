-- What recurs. Plan and standing are JSON.
create table punctual.schedules (
  id       uuid   not null primary key,
  name     text   not null unique collate "C",
  rev      bigint not null,
  created  bigint not null,
  next     bigint,                             -- when somebody has to look at it
  plan     text   not null,
  standing text   not null
)
-- Each look at a schedule leaves a dead row behind, as each step of a job does.
with (
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0,
  autovacuum_analyze_scale_factor = 0.1,
  vacuum_truncate = false,
  toast.autovacuum_vacuum_cost_delay = 0,
  toast.vacuum_truncate = false
);

create index schedules_next on punctual.schedules (next, id) where next is not null;

-- What became of the nominal instants of schedules: a job was made, or they were skipped for a reason.
create table punctual.occurrences (
  schedule  uuid    not null,
  nominal   bigint  not null,
  triggered boolean not null,
  until     bigint  not null,
  count     bigint  not null,
  at        bigint  not null,
  cause     text    not null,
  reason    text,
  job       uuid,
  missed    bigint  not null,
  primary key (schedule, nominal, triggered)
) with (
  autovacuum_vacuum_scale_factor = 0.05,
  autovacuum_vacuum_cost_delay = 0,
  vacuum_truncate = false
);

-- For people, as `jobs_readable` is.
create view punctual.schedules_readable as
select
  id, name,
  to_timestamp(next / 1e6) as next_look_at,
  to_timestamp(created / 1e6) as created_at,
  plan, standing, rev
from punctual.schedules;
