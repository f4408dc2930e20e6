update punctual.jobs
set queue = body.queue, kind = body.kind, priority = body.priority, created = body.created, tags = body.tags,
  options = body.options, fingerprint = body.fingerprint, life_key = body.life_key, payload = body.payload
from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) as body (
  id, queue, kind, priority, created, tags, options, fingerprint, life_key, payload)
where jobs.id = body.id
