-- Enqueueing in SQL, within whatever transaction calls for it. `punctual.enqueue` writes the rows that `rules/admit.rs` makes of
-- the same job, to the byte; a test compares them. An argument that is null is as if it were left out.
--
-- It does its work with the rights of its owner, so that a caller needs none on the tables; whoever may call it needs usage of
-- the schema and to be granted execute.

-- A length of time in microseconds.
create function punctual.enqueue_micros(length interval) returns bigint
language sql immutable as $$
  select (extract(epoch from length) * 1000000)::bigint
$$;

-- One part of a fingerprint: its number, its length, its bytes. Nothing of what is not set.
create function punctual.enqueue_part(part integer, value bytea) returns bytea
language sql immutable as $$
  select set_byte('\x00'::bytea, 0, part) || int8send(octet_length(value)) || value
$$;

-- What is wrong with a length of time; nothing if it is right.
create function punctual.enqueue_length_fault(length interval, may_be_zero boolean) returns text
language sql immutable as $$
  select case
    when extract(month from length) <> 0 or extract(year from length) <> 0
      then 'must be of days, hours, minutes and the like: months and years differ in length'
    when length < interval '0' then 'must not be negative'
    when punctual.enqueue_micros(length) = 0 and not may_be_zero then 'must be longer than 0'
    when length > interval '3650 days' then 'must be at most 3650d'
  end
$$;

-- What is wrong with an instant; nothing if it is right.
create function punctual.enqueue_instant_fault(instant timestamptz) returns text
language sql immutable as $$
  select case when instant not between '1970-01-01T00:00:00Z'::timestamptz and '9999-12-30T22:00:00.999999Z'::timestamptz
    then 'must lie between 1970-01-01T00:00:00Z and 9999-12-30T22:00:00Z' end
$$;

-- A backoff as a row has it, and its parts of a fingerprint. It is written as in the API: `{"type": "fixed", "delay": "5s"}`, where any
-- interval is a length.
create function punctual.enqueue_backoff(backoff jsonb, out written text, out parts bytea)
language plpgsql immutable set search_path = pg_catalog, pg_temp set intervalstyle = 'postgres' set extra_float_digits = 1 as $$
declare
  shape text := backoff ->> 'type';
  known text[] := case shape
    when 'exponential' then array['type', 'base', 'factor', 'max'] when 'fixed' then array['type', 'delay']
    when 'list' then array['type', 'delays'] end;
  field text;
  fault text;
  given text;
  base interval;
  most interval;
  factor float8;
  delays interval[];
begin
  if known is null then
    raise 'type must be exponential, fixed or list' using errcode = 'invalid_parameter_value';
  end if;
  select key into field from jsonb_object_keys(backoff) as key where key <> all (known) limit 1;
  if found then
    raise '% is not a field of a backoff of type %; it takes %', to_json(field), shape, array_to_string(known, ', ')
      using errcode = 'invalid_parameter_value';
  end if;
  for field in select unnest(known[2:]) loop
    begin
      given := backoff ->> field;
      case field
        when 'base' then base := coalesce(given, '1s')::interval;
        when 'max' then most := coalesce(given, '1h')::interval;
        when 'factor' then factor := coalesce(given, '2')::float8;
        when 'delay' then delays := array[given::interval];
        else select array_agg(delay::interval order by place) into delays
          from jsonb_array_elements_text(backoff -> field) with ordinality as list (delay, place);
      end case;
    exception when data_exception then
      raise '% cannot be read: %', field, sqlerrm using errcode = 'invalid_parameter_value';
    end;
  end loop;
  select coalesce(punctual.enqueue_length_fault(length, true), case when length is null then 'is missing' end) into fault
  from unnest(case shape when 'exponential' then array[base, most] else delays end) as length
  order by 1 limit 1;
  if fault is not null then
    raise 'a delay %', fault using errcode = 'invalid_parameter_value';
  elsif shape = 'exponential' then
    if not factor between 1 and 1000 then
      raise 'factor must lie between 1 and 1000' using errcode = 'invalid_parameter_value';
    end if;
    written := format('{"exponential":{"base_us":%s,"factor":%s,"max_us":%s}}', punctual.enqueue_micros(base),
      factor || case when factor = trunc(factor) then '.0' else '' end, punctual.enqueue_micros(most));
    parts := punctual.enqueue_part(30, int8send(punctual.enqueue_micros(base)))
      || punctual.enqueue_part(31, float8send(factor)) || punctual.enqueue_part(32, int8send(punctual.enqueue_micros(most)));
  elsif coalesce(cardinality(delays), 0) not between 1 and 1000 then
    raise 'delays must have 1 to 1000 items' using errcode = 'invalid_parameter_value';
  elsif shape = 'fixed' then
    written := format('{"fixed_us":%s}', punctual.enqueue_micros(delays[1]));
    parts := punctual.enqueue_part(33, int8send(punctual.enqueue_micros(delays[1])));
  else
    select '{"list_us":[' || string_agg(punctual.enqueue_micros(delay)::text, ',' order by place) || ']}',
      string_agg(punctual.enqueue_part(34, int8send(punctual.enqueue_micros(delay))), '' order by place)
    into written, parts from unnest(delays) with ordinality as list (delay, place);
  end if;
end
$$;

-- The options of a row with another start deadline, or without one.
create function punctual.enqueue_deadline(options text, deadline bigint) returns text
language sql immutable as $$
  select '{' || string_agg(to_json(key) || ':' || value, ','
    order by array_position(array['timeout_us', 'max_attempts', 'backoff', 'max_elapsed_us', 'start_deadline_us', 'on_lost'], key)) || '}'
  from (
    select key, value::text from json_each(coalesce(options, '{}')::json) where key <> 'start_deadline_us'
    union all
    select 'start_deadline_us', deadline::text where deadline is not null
  ) as option (key, value)
$$;

-- Meets the job that holds the unique key of a new one, as `rules/admit/unique.rs` decides. Answers its id where it stands for the new
-- job; nothing where the key came free, or the holder moved on.
create function punctual.enqueue_meet(
  key text, on_conflict text, kind text, payload bytea, due bigint, deadline bigint, now_us bigint, out stands uuid, out told text)
language plpgsql set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
  holder punctual.jobs;
begin
  select * into holder from punctual.jobs where unique_key = key;
  if not found then
    return;
  elsif holder.state >= 2 and coalesce(holder.key_until, 0) <= now_us then
    if holder.life_key is null then
      -- The row was kept for nothing but its key.
      delete from punctual.jobs where id = holder.id and rev = holder.rev;
      if found then
        delete from punctual.outputs where job = holder.id;
      end if;
    else
      update punctual.jobs set rev = rev + 1, unique_key = null, key_until = null where id = holder.id and rev = holder.rev;
    end if;
  elsif on_conflict = 'reject' or on_conflict = 'replace' and holder.state = 0 and holder.kind <> enqueue_meet.kind then
    raise 'the unique key % is held by job %', key, holder.id using errcode = 'unique_violation';
  elsif holder.state = 0 and on_conflict in ('replace', 'debounce') then
    update punctual.jobs as held set rev = held.rev + 1, due = enqueue_meet.due,
      payload = case on_conflict when 'replace' then enqueue_meet.payload else held.payload end,
      options = punctual.enqueue_deadline(held.options, deadline),
      alarm = case when held.first_started is null then deadline else held.alarm end
    where held.id = holder.id and held.rev = holder.rev
    returning held.id, held.queue into stands, told;
  else
    stands := holder.id;
  end if;
end
$$;

create function punctual.enqueue(
  kind           text,
  payload        json        default null,
  queue          text        default null,
  priority       integer     default null,
  run_at         timestamptz default null,
  delay          interval    default null,
  unique_key     text        default null,
  unique_window  interval    default null,
  on_conflict    text        default null,
  tags           text[]      default null,
  timeout        interval    default null,
  max_attempts   integer     default null,
  backoff        json        default null,
  max_elapsed    interval    default null,
  start_deadline timestamptz default null,
  on_lost        text        default null,
  id             uuid        default null,
  payload_bytes  bytea       default null,
  notify         boolean     default true
) returns uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
  -- The part before the point is the schema's name.
  channel constant text := 'punctual_' || btrim('punctual.', '".');
  now_us bigint := extract(epoch from clock_timestamp()) * 1000000;
  bytes bytea := coalesce(payload_bytes, convert_to(coalesce(payload::text, 'null'), 'UTF8'));
  home text := coalesce(queue, case when kind in ('http', 'amqp', 'command') then kind else 'default' end);
  new_id uuid := id;
  print uuid;
  there uuid;
  due bigint;
  deadline bigint;
  told text := home;
  faults text;
  backoff_written text;
  backoff_parts bytea;
begin
  if backoff is not null then
    begin
      select written, parts into backoff_written, backoff_parts from punctual.enqueue_backoff(backoff::jsonb);
    exception when data_exception then
      faults := 'backoff: ' || sqlerrm;
    end;
  end if;
  select concat_ws('; ', faults, string_agg(name || ' ' || fault, '; ' order by place)) into faults from (values
    (1, 'id', case when id = '00000000-0000-0000-0000-000000000000' then
      'must not be the nil UUID, which names nothing; leave it out to be given one' end),
    (2, 'kind', case when kind is null or kind !~ '^[A-Za-z0-9._/:-]{1,128}$' collate "C" then
      'must have 1 to 128 bytes: letters, digits and . _ - / :' end),
    (3, 'queue', case when queue !~ '^[A-Za-z0-9._/:-]{1,128}$' collate "C" then
      'must have 1 to 128 bytes: letters, digits and . _ - / :' end),
    (4, 'priority', case when priority not between 0 and 9 then
      format('must lie between 0 (first) and 9, and is %s', priority) end),
    (5, 'payload_bytes', case when payload is not null and payload_bytes is not null then
      'must not be given beside payload: a job has one of them' end),
    (6, 'payload', case when octet_length(bytes) > 262144 then
      format('must have at most 262144 bytes, and has %s', octet_length(bytes)) end),
    (7, 'tags', case when cardinality(tags) > 16 then
      format('must have at most 16 items, and has %s', cardinality(tags)) end),
    (8, 'tags', (select 'must have 1 to 128 bytes each' from unnest(tags) as tag
      where coalesce(octet_length(tag), 0) not between 1 and 128 limit 1)),
    (9, 'run_at', punctual.enqueue_instant_fault(run_at)),
    (10, 'delay', punctual.enqueue_length_fault(delay, true)),
    (11, 'delay', case when run_at is not null and delay is not null then 'must not be given beside run_at' end),
    (12, 'timeout', punctual.enqueue_length_fault(timeout, false)),
    (13, 'max_elapsed', punctual.enqueue_length_fault(max_elapsed, false)),
    (14, 'max_attempts', case when max_attempts not between 1 and 1000 then 'must lie between 1 and 1000' end),
    (15, 'start_deadline', punctual.enqueue_instant_fault(start_deadline)),
    (16, 'on_lost', case when on_lost not in ('retry', 'fail') then 'must be retry or fail' end),
    (17, 'unique_key', case when octet_length(unique_key) not between 1 and 512 then 'must have 1 to 512 bytes' end),
    (18, 'unique_key', case when starts_with(unique_key, 'xxh3:') then
      'must not begin with "xxh3:": such keys are made from payloads' end),
    (19, 'unique_window', punctual.enqueue_length_fault(unique_window, false)),
    (20, 'unique_window', case when unique_window is not null and unique_key is null then 'needs a unique_key' end),
    (21, 'on_conflict', case when on_conflict is not null and unique_key is null then 'needs a unique_key' end),
    (22, 'on_conflict', case when on_conflict not in ('existing', 'reject', 'replace', 'debounce') then
      'must be existing, reject, replace or debounce' end)
  ) as rule (place, name, fault) where fault is not null;
  if faults = '' then
    due := coalesce((extract(epoch from run_at) * 1000000)::bigint, now_us + punctual.enqueue_micros(delay), now_us);
    deadline := extract(epoch from start_deadline) * 1000000;
    if deadline <= due then
      faults := format('start_deadline means that the job could never start: it is due at %s', to_timestamp(due / 1e6));
    end if;
  end if;
  if faults <> '' then
    raise 'this job cannot be enqueued: %', faults using errcode = 'invalid_parameter_value';
  end if;

  -- Everything that was set, in the order of `fingerprint.rs`.
  select encode(substring(sha256(string_agg(part, '' order by place)) from 1 for 16), 'hex')::uuid into print
  from unnest(array[
    punctual.enqueue_part(1, convert_to(kind, 'UTF8')),
    punctual.enqueue_part(2, bytes),
    punctual.enqueue_part(3, convert_to(queue, 'UTF8')),
    punctual.enqueue_part(4, int8send(priority)),
    punctual.enqueue_part(5, int8send((extract(epoch from run_at) * 1000000)::bigint)),
    punctual.enqueue_part(6, int8send(punctual.enqueue_micros(delay))),
    (select string_agg(punctual.enqueue_part(7, convert_to(tag, 'UTF8')), '' order by place)
      from unnest(tags) with ordinality as list (tag, place)),
    punctual.enqueue_part(20, int8send(punctual.enqueue_micros(timeout))),
    punctual.enqueue_part(21, int8send(max_attempts)),
    punctual.enqueue_part(22, int8send(punctual.enqueue_micros(max_elapsed))),
    punctual.enqueue_part(23, int8send(deadline)),
    punctual.enqueue_part(24, int8send(case on_lost when 'retry' then 0 when 'fail' then 1 end)),
    backoff_parts,
    punctual.enqueue_part(40, int8send(case when unique_key is not null then
      array_position(array['existing', 'reject', 'replace', 'debounce'], coalesce(on_conflict, 'existing')) - 1 end)),
    punctual.enqueue_part(41, convert_to(unique_key, 'UTF8')),
    punctual.enqueue_part(42, int8send(punctual.enqueue_micros(unique_window)))
  ]) with ordinality as list (part, place);

  if new_id is null then
    -- A UUID of version 7: its milliseconds, and a version 4 for the rest.
    new_id := encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
      placing substring(int8send(now_us / 1000) from 3) from 1 for 6), 52, 1), 53, 1), 'hex')::uuid;
  end if;
  for round in 1..8 loop
    insert into punctual.jobs (
      id, queue, kind, priority, created, state, rev, due, alarm, unique_key, key_until, tags, options, fingerprint, life_key,
      payload)
    values (
      new_id, home, kind, coalesce(priority, 5), now_us, 0, now_us, due, deadline, unique_key,
      now_us + punctual.enqueue_micros(unique_window),
      (select '[' || string_agg(to_json(tag)::text, ',' order by place) || ']'
        from unnest(tags) with ordinality as list (tag, place)),
      punctual.enqueue_deadline(nullif('{' || concat_ws(',',
        '"timeout_us":' || punctual.enqueue_micros(timeout),
        '"max_attempts":' || max_attempts,
        '"backoff":' || backoff_written,
        '"max_elapsed_us":' || punctual.enqueue_micros(max_elapsed),
        '"on_lost":"' || on_lost || '"') || '}', '{}'), deadline),
      print, unique_key, bytes)
    on conflict do nothing;
    if found then
      there := new_id;
      exit;
    end if;
    select fingerprint into there from punctual.jobs where jobs.id = new_id;
    if there = print then
      return new_id;
    elsif found then
      raise 'there is another job with the id %', new_id using errcode = 'unique_violation';
    end if;
    select stands, meeting.told into there, told
    from punctual.enqueue_meet(unique_key, coalesce(on_conflict, 'existing'), kind, bytes, due, deadline, now_us) as meeting;
    exit when there is not null;
  end loop;
  if there is null then
    raise 'the job that holds the unique key % changed 8 times while it was looked at', unique_key using errcode = 'unique_violation';
  end if;
  if notify and told is not null then
    -- What is due at once, or in the same second, is told in the same words each time, and so once for each transaction.
    perform pg_notify(channel, format('d %s %s', case when due <= now_us then 0 else due - due % 1000000 end, told));
  end if;
  return there;
end
$$;

revoke all on function punctual.enqueue from public;
revoke all on function punctual.enqueue_meet from public;
