-- Claims: due waiting jobs become running ones, as far as their queues allow it.
--
-- Arguments: now and the end of the lease, or nothing for the server's clock; the lease in microseconds; the worker; how many
-- jobs at most; how many bytes of bodies at least end a claim early; how many entries of lines may be passed; and then Q
-- and queues, or I and ids.
-- Answers: now; the next instant at which one may start, or nothing; whether the claim ended early; and id, status before
-- the claim and body of each job.

local now, lease_end = time(ARGV[1], ARGV[2], tonumber(ARGV[3]))
local now_number = number(now)
local worker = pack('>I4', #ARGV[4]) .. ARGV[4]
local max, bytes_left, passes_left = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])

local jobs = {}
local cut = false

local function has_come(instant)
  return not is_after(instant, now)
end

-- The gate of a queue: queue/gate.rs, told again in the place where it has to hold. The settings it needs stand in the hash
-- `gates` in the form that records.rs gives them.
local function gate_of(queue)
  local gate = { queue = queue, slots = math.huge, full_at = -math.huge }
  local settings = call('HGET', ns .. 'gates', queue)
  if not settings then
    return gate
  end
  local paused, limit, interval, burst = string.match(settings, '^(%d) (%-?%d+) (%-?%d+) (%d+)$')
  gate.paused = paused == '1'
  if tonumber(limit) >= 0 then
    local running = tonumber(call('HGET', ns .. 'counts', RUNNING .. queue) or 0)
    gate.slots = math.max(tonumber(limit) - running, 0)
  end
  if tonumber(interval) >= 0 then
    gate.interval, gate.burst = tonumber(interval), tonumber(burst)
    gate.stored = call('HGET', ns .. 'buckets', queue)
    gate.full_at = gate.stored and tonumber(gate.stored) or -math.huge
  end
  return gate
end

-- No bucket is emptier than empty.
local function full_at(gate)
  return math.min(gate.full_at, now_number + gate.interval * gate.burst)
end

local function room(gate)
  if gate.paused then
    return 0
  end
  if not gate.interval then
    return gate.slots
  end
  local unused = now_number + gate.interval * gate.burst - math.max(gate.full_at, now_number)
  local saved = math.min(math.floor(math.max(unused, 0) / gate.interval), gate.burst)
  return math.min(gate.slots, saved)
end

local function pass(gate)
  gate.slots = gate.slots - 1
  if gate.interval then
    gate.full_at = math.max(full_at(gate), now_number) + gate.interval
  end
end

-- From when on a job that is due then may start, as far as time alone tells.
local function opens(gate, due)
  if gate.paused or gate.slots <= 0 then
    return nil
  end
  if not gate.interval then
    return due
  end
  local next_start = math.max(full_at(gate) - gate.interval * (gate.burst - 1), now_number)
  local allowed = instant(next_start)
  return is_after(allowed, due) and allowed or due
end

local function close(gate)
  if gate.interval then
    local full = string.format('%.0f', full_at(gate))
    if full ~= gate.stored then
      call('HSET', ns .. 'buckets', gate.queue, full)
    end
  end
end

local next_due

local function earlier(due)
  if due and (not next_due or is_after(next_due, due)) then
    next_due = due
  end
end

-- The first entries of a line up to `upto`, without those whose start deadline has passed: no attempt of theirs may begin.
local function startable(line, upto, wanted)
  local found, from = {}, '-'
  while #found < wanted and passes_left > 0 do
    local asked = math.min(math.max(wanted - #found, 16), passes_left)
    local entries = call('ZRANGEBYLEX', line, from, upto, 'LIMIT', 0, asked)
    passes_left = passes_left - #entries
    for _, entry in ipairs(entries) do
      if #found < wanted and (#entry == 24 or is_after(sub(entry, 25, 32), now)) then
        found[#found + 1] = entry
      end
    end
    if #entries < asked then
      return found
    end
    from = '(' .. entries[asked]
  end
  cut = cut or #found < wanted
  return found
end

-- A waiting row becomes a running one, and goes among the jobs of this claim. Answers its status.
local function start(id, before)
  local row = read(before)
  local rev = next_rev(sub(before, 5, 12))
  local attempt = pack('>I4', unpack_bytes('>I4', before, 21) + 1)
  local first_started = sub(before, 41, 48)
  if first_started == UNSET then
    first_started = now
  end
  local _, after_worker = text(before, row.worker_at)
  local status = sub(before, 1, 1) .. RUNNING .. sub(before, 3, 4) .. rev .. rev .. attempt .. row.due .. lease_end
    .. first_started .. now .. sub(before, 57, row.worker_at - 1) .. worker .. sub(before, after_worker)
  if row.alarm ~= UNSET then
    move(ns .. 'alarm', row.alarm .. id, false)
  end
  count({ state = WAITING, queue = row.queue }, -1)
  count({ state = RUNNING, queue = row.queue }, 1)
  local body = call('GET', key_of_body(id))
  bytes_left = bytes_left - #body
  local last = #jobs
  jobs[last + 1], jobs[last + 2], jobs[last + 3] = id, before, body
  return status
end

local function claimed()
  return #jobs / 3
end

-- Takes up to `wanted` due jobs from a line, and moves them to those that run.
local function take(gate, line, wanted)
  local due = startable(line, '(' .. now .. string.rep('\255', 17), wanted)
  if #due == 0 then
    return
  end
  local keys, gone, running, statuses = {}, {}, {}, {}
  for place, entry in ipairs(due) do
    keys[place] = key_of_status(sub(entry, 9, 24))
  end
  local befores = call('MGET', unpack(keys))
  for place, entry in ipairs(due) do
    if bytes_left <= 0 then
      cut = true
      break
    end
    local id = sub(entry, 9, 24)
    gone[place] = entry
    running[2 * place - 1], running[2 * place] = 0, lease_end .. id
    statuses[2 * place - 1], statuses[2 * place] = keys[place], start(id, befores[place])
    pass(gate)
  end
  if #gone > 0 then
    call('MSET', unpack(statuses))
    call('ZREM', line, unpack(gone))
    call('ZADD', ns .. 'running', unpack(running))
  end
end

local function claim_queue(queue)
  local gate = gate_of(queue)
  if call('HEXISTS', ns .. 'counts', WAITING .. queue) == 1 then
    for priority = 0, 9 do
      local wanted = math.min(room(gate), max - claimed())
      if wanted > 0 then
        take(gate, line_of(priority, queue), wanted)
      end
    end
    if claimed() < max then
      for priority = 0, 9 do
        local first = startable(line_of(priority, queue), '+', 1)[1]
        earlier(first and opens(gate, sub(first, 1, 8)))
      end
    end
  end
  close(gate)
end

local function claim_ids(first)
  local gates, left = {}, {}
  for at = first, #ARGV do
    local id = ARGV[at]
    local before = call('GET', key_of_status(id))
    local row = before and read(before)
    if row and row.state == WAITING and (row.alarm == UNSET or is_after(row.alarm, now)) then
      local gate = gates[row.queue] or gate_of(row.queue)
      gates[row.queue] = gate
      cut = cut or bytes_left <= 0
      if has_come(row.due) and room(gate) > 0 and claimed() < max and bytes_left > 0 then
        local line, entry = place_of(id, row)
        call('ZREM', line, entry)
        call('ZADD', ns .. 'running', 0, lease_end .. id)
        call('SET', key_of_status(id), start(id, before))
        pass(gate)
      else
        left[#left + 1] = { gate = gate, due = row.due }
      end
    end
  end
  for _, job in ipairs(left) do
    earlier(opens(job.gate, job.due))
  end
  for _, gate in pairs(gates) do
    close(gate)
  end
end

if ARGV[8] == 'Q' then
  for at = 9, #ARGV do
    claim_queue(ARGV[at])
  end
else
  claim_ids(9)
end
finish()
return { now, next_due or '', cut and 1 or 0, jobs }
