-- Staged events: the queue into which the transactions of callers write.

CREATE TABLE audit.staged (
    log bytea NOT NULL CHECK (octet_length(log) IN (0, 16)),
    n bigint GENERATED ALWAYS AS IDENTITY,
    id uuid NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (log, n)
) WITH (toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0,
        autovacuum_vacuum_threshold = 5000);
ALTER TABLE audit.staged ALTER body SET STORAGE EXTERNAL;

CREATE TABLE audit.refused (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    log bytea NOT NULL,
    id uuid NOT NULL,
    body text NOT NULL,
    reason text NOT NULL,
    refused_at bigint NOT NULL
);

-- Returns the key of the log with a name: `platform`, or the id of an organization.
CREATE FUNCTION audit.log_key(name text) RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN CASE name WHEN 'platform' THEN ''::bytea ELSE uuid_send(name::uuid) END;

-- Only inserts, so that it waits for nobody. The order of the arrays is that of the events.
CREATE FUNCTION audit.stage(log text, ids uuid[], bodies text[]) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    IF stage.log IS NULL OR cardinality(ids) IS DISTINCT FROM cardinality(bodies)
        OR cardinality(ids) IS NULL
    THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'audit.stage takes the name of a log, and as many ids as bodies';
    END IF;
    INSERT INTO audit.staged (log, id, body)
    SELECT audit.log_key(stage.log), w.id, w.body
    FROM unnest(ids, bodies) WITH ORDINALITY AS w (id, body, at) ORDER BY w.at;
END
$function$;
REVOKE ALL ON FUNCTION audit.stage(text, uuid[], text[]) FROM PUBLIC;
