-- A page of a run's output: id, run, from which byte on, half of what is kept, the longest page.
-- Answers where the page ends, and its bytes.

local id, run, from = ARGV[1], ARGV[2], tonumber(ARGV[3])
local half, longest = tonumber(ARGV[4]), tonumber(ARGV[5])
local head, tail = ns .. 'head:' .. id .. run, ns .. 'tail:' .. id .. run
local head_end = call('STRLEN', head)
-- Where the string of the tail begins, which may be before that of it which counts.
local stored_from = head_end + tonumber(call('HGET', ns .. 'output:' .. id, run) or 0)
local total = stored_from + call('STRLEN', tail)
local tail_from = math.max(head_end, total - half)

from = math.min(from, total)
if from < head_end then
  local page = call('GETRANGE', head, from, from + longest - 1)
  local missing = longest - #page
  -- Behind a gap, a page begins anew: no page hides that something is missing.
  if missing > 0 and tail_from == head_end then
    page = page .. call('GETRANGE', tail, 0, missing - 1)
  end
  return { string.format('%.0f', from + #page), page }
end
from = math.max(from, tail_from)
local page = call('GETRANGE', tail, from - stored_from, from - stored_from + longest - 1)
return { string.format('%.0f', from + #page), page }
