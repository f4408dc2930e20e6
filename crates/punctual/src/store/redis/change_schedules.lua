-- Changes schedules, each wholly or not at all. For each: id, name, expected rev, the row or nothing to delete it, and its plan
-- or nothing to keep the one it has; the jobs to insert; how many entries of its ledger are dropped, and the key of each; how
-- many are written, and each of them; and of old ones since when they stand for nothing, or nothing to drop none, how many are
-- kept, and how many are dropped at most.
-- Answers for each: A (applied), M (there is none, though one is expected), or id, row and plan of the one that has another
-- rev, or the name.

local NAMES = ns .. 'sched:names'
local KEY = 9 -- The bytes of an entry's key, with which it begins.

local function key_of_plan(id)
  return ns .. 'plan:' .. id
end

local function id_of(name)
  local member = call('ZRANGEBYLEX', NAMES, '[' .. name .. '\0', '(' .. name .. '\1', 'LIMIT', 0, 1)[1]
  return member and sub(member, -16)
end

local function insert(job)
  if call('EXISTS', key_of_status(job.id)) == 0 then
    put(job.id, job.status, job.body)
    write_strings()
  end
end

local function drop(ledger, key)
  local entry = call('ZRANGEBYLEX', ledger, '[' .. key, '(' .. key .. '\255', 'LIMIT', 0, 1)[1]
  if entry then
    call('ZREM', ledger, entry)
  end
end

-- How many entries, from the oldest on, are too many or stand for nothing at this instant or later.
local function count_old(ledger, before, too_many, most)
  local earlier = math.min(call('ZLEXCOUNT', ledger, '-', '(' .. before), most)
  for first = too_many, earlier - 1, PIECE do
    local last = math.min(first + PIECE, earlier) - 1
    for place, entry in ipairs(call('ZRANGE', ledger, first, last)) do
      local nominal_at, till = sub(entry, 1, 8), sub(entry, 11, 18)
      if till ~= nominal_at and #till == 8 and not is_after(before, till) then
        return first + place - 1
      end
    end
  end
  return math.max(earlier, too_many)
end

local function drop_old(ledger, before, keep, most)
  local too_many = math.min(math.max(call('ZCARD', ledger) - keep, 0), most)
  local gone = count_old(ledger, before, too_many, most)
  if gone > 0 then
    call('ZREMRANGEBYRANK', ledger, 0, gone - 1)
  end
end

local function delete(id, before, name)
  write_standing(id, before, nil)
  call('ZREM', NAMES, name .. '\0' .. id)
  call('DEL', key_of_schedule(id), key_of_plan(id))
  call('UNLINK', ns .. 'occ:' .. id)
end

local function write(id, before, change)
  write_standing(id, before, change.row)
  call('ZADD', NAMES, 0, change.name .. '\0' .. id)
  if change.plan ~= '' then
    call('SET', key_of_plan(id), change.plan)
  end
  for _, job in ipairs(change.jobs) do
    insert(job)
  end
  local ledger = ns .. 'occ:' .. id
  for _, key in ipairs(change.drops) do
    drop(ledger, key)
  end
  for _, entry in ipairs(change.entries) do
    drop(ledger, sub(entry, 1, KEY))
    call('ZADD', ledger, 0, entry)
  end
  if change.old_before ~= '' then
    drop_old(ledger, change.old_before, change.keep, change.most)
  end
end

local function apply(id, expect, change)
  local there = expect == UNSET and id_of(change.name) or id
  local row = call('GET', key_of_schedule(there))
  if (row and sub(row, 2, 9) or UNSET) ~= expect then
    return row and { there, row, call('GET', key_of_plan(there)) or '' } or 'M'
  end
  if change.row == '' then
    delete(id, row, change.name)
  else
    write(id, row, change)
  end
  return 'A'
end

local function texts()
  local texts = {}
  for place = 1, tonumber(argument()) do
    texts[place] = argument()
  end
  return texts
end

local answers = {}
while arguments_read < #ARGV do
  local id, name, expect = argument(), argument(), argument()
  local change = { name = name, row = argument(), plan = argument(), jobs = jobs_of_arguments() }
  change.drops, change.entries = texts(), texts()
  change.old_before, change.keep, change.most = argument(), tonumber(argument()), tonumber(argument())
  answers[#answers + 1] = apply(id, expect, change)
end
finish()
return answers
