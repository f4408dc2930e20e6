-- Makes changes, each wholly or not at all. For each: id, expected rev, W (write) or D (delete), the status in two parts,
-- between which stands its place (priority and queue), the place or nothing to keep the one it has, the body or nothing to
-- keep it, the schedule that it pokes or nothing, how many jobs follow, and id, status, body of each of them.
-- Answers for each: A (applied), M (missing), the row that has another rev, or who holds what it wants.

-- What of ids and unique keys would be otherwise once this change is made.
local function outlook(id, before, status)
  local old_unique = unique_of(before, read(before))
  local unique = status and unique_of(status, read(status))
  local rows, holders = { [id] = status or false }, {}
  if old_unique then
    holders[old_unique] = false
  end
  if unique then
    holders[unique] = id
  end
  local wanted = unique ~= old_unique and unique
  return rows, holders, wanted
end

local function status_in(rows, id)
  if rows[id] == nil then
    return call('GET', key_of_status(id))
  end
  return rows[id]
end

local function holder_in(holders, unique)
  if holders[unique] == nil then
    return call('GET', key_of_unique(unique))
  end
  return holders[unique]
end

-- Who stands against the change, if anybody does.
local function obstacle(id, before, status, jobs)
  local rows, holders, wanted = outlook(id, before, status)
  local held_by = wanted and call('GET', key_of_unique(wanted))
  if held_by then
    return holder(held_by)
  end
  for _, job in ipairs(jobs) do
    local there = status_in(rows, job.id)
    if there then
      return holder(job.id, there)
    end
    local unique = unique_of(job.status, read(job.status))
    held_by = unique and holder_in(holders, unique)
    if held_by then
      return holder(held_by, rows[held_by])
    end
    rows[job.id] = job.status
    if unique then
      holders[unique] = job.id
    end
  end
end

-- Output stays when its run ends and goes with its job.
local function forget_output(id)
  local runs = call('HKEYS', ns .. 'output:' .. id)
  for _, run in ipairs(runs) do
    call('DEL', ns .. 'head:' .. id .. run, ns .. 'tail:' .. id .. run)
  end
  if #runs > 0 then
    call('DEL', ns .. 'output:' .. id)
  end
end

local function delete(id, before)
  local row = read(before)
  index(id, row, false)
  call('DEL', key_of_status(id), key_of_body(id))
  move(ns .. 'all', id, false)
  local unique = unique_of(before, row)
  if unique then
    call('DEL', key_of_unique(unique))
  end
  count(row, -1)
  forget_output(id)
end

-- Has a schedule looked at now, whether or not its row can be read, as long as it has its first fields.
local function poke(schedule)
  local before = call('GET', key_of_schedule(schedule))
  if before and #before >= 17 then
    write_standing(schedule, before, sub(before, 1, 1) .. next_rev(sub(before, 2, 9)) .. AT_ONCE .. sub(before, 18))
  end
end

local function apply(id, expect, status_of, body, pokes, jobs)
  local before = call('GET', key_of_status(id))
  if not before then
    return 'M'
  end
  if sub(before, 5, 12) ~= expect then
    return { 'S', before, call('GET', key_of_body(id)) }
  end
  local status = status_of(before)
  local held = obstacle(id, before, status, jobs)
  if held then
    return held
  end
  if status then
    rewrite(id, before, status)
    if body ~= '' then
      call('SET', key_of_body(id), body)
    end
  else
    delete(id, before)
  end
  for _, job in ipairs(jobs) do
    put(job.id, job.status, job.body)
  end
  write_strings()
  if pokes ~= '' then
    poke(pokes)
  end
  return 'A'
end

-- The status that a change leads to, once it is known what it changes.
local function written(writes, first, place, second)
  return function(before)
    if not writes then
      return nil
    end
    if place == '' then
      place = sub(before, 81, read(before).worker_at - 1)
    end
    return first .. place .. second
  end
end

local answers = {}
while arguments_read < #ARGV do
  local id, expect, writes = argument(), argument(), argument() == 'W'
  local first, place, second, body, pokes = argument(), argument(), argument(), argument(), argument()
  local jobs = jobs_of_arguments()
  answers[#answers + 1] = apply(id, expect, written(writes, first, place, second), body, pokes, jobs)
end
finish()
return answers
