
-- Records for people. A jsonb cannot have the character NUL, which ids may have.
CREATE FUNCTION audit.as_json(record text) RETURNS jsonb
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN regexp_replace(record, '(?<!\\)((\\\\)*)\\u0000', '\1\\ufffd', 'g')::jsonb;

CREATE VIEW audit.events WITH (security_invoker = true) AS
    SELECT e.log, e.sequence, e.id,
        (r.json ->> 'occurredAt')::timestamptz AS occurred_at,
        (r.json ->> 'recordedAt')::timestamptz AS recorded_at,
        r.json ->> 'action' AS action,
        r.json #>> '{actor,kind}' AS actor_kind,
        r.json #>> '{actor,id}' AS actor_id,
        r.json #>> '{outcome,result}' AS outcome,
        r.json ->> 'severity' AS severity,
        r.json -> 'targets' AS targets,
        r.json -> 'attributes' AS attributes,
        r.json AS record
    FROM audit.event e
    JOIN audit.log l ON l.log = e.log AND l.pruned < e.sequence
    CROSS JOIN LATERAL (SELECT audit.as_json(e.record) AS json) r;
