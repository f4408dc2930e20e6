-- Inserts whole rows, each by itself: id, status, body for each.
-- Answers for each: I (inserted), S or O (a row with this id exists: the same, or another), or who holds its unique key.

local function insert(id, status, body)
  local fingerprint = call('GETRANGE', key_of_body(id), 1, 16)
  if fingerprint ~= '' then
    return fingerprint == sub(body, 2, 17) and 'S' or 'O'
  end
  local unique = unique_of(status, read(status))
  local held_by = unique and call('GET', key_of_unique(unique))
  if held_by then
    return holder(held_by)
  end
  put(id, status, body)
  return 'I'
end

local answers = {}
for at = 1, #ARGV, 3 do
  answers[#answers + 1] = insert(ARGV[at], ARGV[at + 1], ARGV[at + 2])
end
write_counts()
return answers
