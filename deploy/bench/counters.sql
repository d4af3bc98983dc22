-- What the service counts while it writes, told of the generated activities.

UPDATE activity_numbers SET last_id = tenant_id * 10000000 + %(activities)s
WHERE tenant_id = ANY (%(tenant_ids)s);

UPDATE activity_counters SET shared = counted.shared, private = counted.private, version = 1
FROM (
    SELECT tenant_id, count(*) FILTER (WHERE visibility <> 'private') AS shared,
        count(*) FILTER (WHERE visibility = 'private') AS private
    FROM activities WHERE deleted_at IS NULL GROUP BY tenant_id
) AS counted
WHERE activity_counters.tenant_id = counted.tenant_id AND activity_counters.slot = 0;

DROP FUNCTION pick;
