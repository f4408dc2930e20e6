-- What holds for these queues, and the store's time.
select coalesce($2, (extract(epoch from statement_timestamp()) * 1000000)::bigint), document, full_at
from unnest($1) with ordinality as line (queue, place)
left join punctual.records on kind = 'queue' and name = line.queue
left join punctual.buckets on buckets.queue = line.queue
order by place
