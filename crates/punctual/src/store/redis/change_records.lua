-- Writes or deletes records: for each its kind, name, expected rev, W and the document or D, and what claims need of it (for
-- the settings of a queue).
-- Answers for each: A (applied), M (there is none, though one is expected), or the record that has another rev.

local function change(kind, name, expect, writes, document, gate)
  local records, names = ns .. 'records:' .. kind, ns .. 'names:' .. kind
  local there = call('HGET', records, name)
  if (there and sub(there, 1, 8) or UNSET) ~= expect then
    return there and { 'S', there } or 'M'
  end
  if writes then
    call('HSET', records, name, next_rev(expect) .. document)
    call('ZADD', names, 0, name)
    if kind == 'queue' then
      call('HSET', ns .. 'gates', name, gate)
    end
  else
    call('HDEL', records, name)
    call('ZREM', names, name)
    if kind == 'queue' then
      call('HDEL', ns .. 'gates', name)
      call('HDEL', ns .. 'buckets', name)
    end
  end
  return 'A'
end

local answers = {}
for at = 1, #ARGV, 6 do
  answers[#answers + 1] = change(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3] == 'W', ARGV[at + 4], ARGV[at + 5])
end
return answers
