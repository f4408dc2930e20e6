-- One heartbeat: now and the end of the lease, or nothing for the server's clock; the lease and how long a worker is remembered,
-- in microseconds; the worker and what is known of it (nothing of one that has stopped), or no worker where that was noted just before; and id, run and
-- progress (after a +, or nothing) of each run.
-- Answers: now, and for each run H (held), C (to be cancelled) or L (lost).

local now, lease_end = time(ARGV[1], ARGV[2], tonumber(ARGV[3]))

local function note_worker(worker, known)
  local seen = number(now)
  local forgotten = string.format('(%.0f', seen - tonumber(ARGV[4]))
  local gone = call('ZRANGEBYSCORE', ns .. 'seen', '-inf', forgotten, 'LIMIT', 0, 100)
  if #gone > 0 then
    call('ZREM', ns .. 'seen', unpack(gone))
    call('HDEL', ns .. 'workers', unpack(gone))
  end
  if known == '' then
    call('ZREM', ns .. 'seen', worker)
    call('HDEL', ns .. 'workers', worker)
    return
  end
  call('ZADD', ns .. 'seen', string.format('%.0f', seen), worker)
  call('HSET', ns .. 'workers', worker, known)
end

-- The status with other progress.
local function with_progress(status, worker_at, progress)
  local at = worker_at
  for _ = 1, 4 do -- Worker, unique key, failure and cancel stand before it.
    _, at = text(status, at)
  end
  local _, after = text(status, at)
  return sub(status, 1, at - 1) .. pack('>I4', #progress) .. progress .. sub(status, after)
end

local function beat(id, run, progress)
  local status = call('GET', key_of_status(id))
  if not status or sub(status, 2, 2) ~= RUNNING or sub(status, 13, 20) ~= run then
    return 'L'
  end
  local row = read(status)
  local alarm = row.alarm
  local is_deferred = sub(status, 4, 4) == '1'
  if not is_deferred and (alarm == UNSET or is_after(lease_end, alarm)) then
    index(id, row, false)
    row.alarm, alarm = lease_end, lease_end
    index(id, row, true)
  end
  local after = sub(status, 1, 4) .. next_rev(sub(status, 5, 12)) .. sub(status, 13, 32) .. alarm .. sub(status, 41)
  if progress ~= '' then
    after = with_progress(after, row.worker_at, sub(progress, 2))
  end
  call('SET', key_of_status(id), after)
  return sub(status, 3, 3) == '1' and 'C' or 'H'
end

if ARGV[5] ~= '' then
  note_worker(ARGV[5], ARGV[6])
end
local verdicts = {}
for at = 7, #ARGV, 3 do
  verdicts[#verdicts + 1] = beat(ARGV[at], ARGV[at + 1], ARGV[at + 2])
end
finish()
return { now, table.concat(verdicts) }
