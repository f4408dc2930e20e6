-- Inserts whole rows, each by itself: id, status, body for each.
-- Answers for each: I (inserted), S or O (a row with this id exists: the same, or another), or who holds its unique key.

local keys, bodies = {}, {}
for at = 1, #ARGV, 3 do
  keys[#keys + 1] = key_of_body(ARGV[at])
end
local all_new = call('EXISTS', unpack(keys)) == 0

local function fingerprint_of(id)
  if bodies[id] then
    return sub(bodies[id], 2, 17)
  end
  return all_new and '' or call('GETRANGE', key_of_body(id), 1, 16)
end

local function insert(id, status, body)
  local fingerprint = fingerprint_of(id)
  if fingerprint ~= '' then
    return fingerprint == sub(body, 2, 17) and 'S' or 'O'
  end
  local unique = unique_of(status, read(status))
  local held_by = unique and call('GET', key_of_unique(unique))
  if held_by then
    write_strings()
    return holder(held_by)
  end
  put(id, status, body)
  bodies[id] = body
  return 'I'
end

local answers = {}
for at = 1, #ARGV, 3 do
  answers[#answers + 1] = insert(ARGV[at], ARGV[at + 1], ARGV[at + 2])
end
finish()
return answers
