-- Capture: triggers that stage an event for each changed row of a table, in the transaction of the change.
--
-- The triggers are of statements and read the transition tables, so that a bulk UPDATE calls the function
-- once. What a trigger does is in its argument: nothing is looked up. The values are staged as they are
-- read here; the differences are found when the event is taken in.

-- Sets the context of the changes that the transaction makes from now on: the JSON form of an
-- AuditContext. With the name of a log, the events go there, unless the table has a log of its own.
CREATE FUNCTION audit.set_context(context json, log text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    IF json_typeof(context) IS DISTINCT FROM 'object' OR context ->> 'v' IS DISTINCT FROM '1'
        OR coalesce(context #>> '{actor,kind}', '') = ''
    THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'audit.set_context takes a context of the form {"v": 1, "actor": {"kind": …}}';
    END IF;
    PERFORM audit.log_key(log);
    PERFORM set_config('audit.context', context::text, true);
    PERFORM set_config('audit.context_log', coalesce(log, ''), true);
END
$function$;

-- Returns an id that rises with the time, in milliseconds, and then with the number: a UUID of version 7.
CREATE FUNCTION audit.capture_id(ms bigint, at bigint) RETURNS uuid
LANGUAGE sql VOLATILE
RETURN (lpad(to_hex(ms + at / 4096), 12, '0') || '7' || lpad(to_hex(at % 4096), 3, '0')
    || right(gen_random_uuid()::text, 17))::uuid;

-- Returns a row without the columns that are left out, and with masks.
CREATE FUNCTION audit.masked_row(value json, mask text[], skip text[]) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN (
    SELECT coalesce(json_object_agg(c.key, CASE
            WHEN c.key = ANY (mask) AND json_typeof(c.value) <> 'null' THEN '"[redacted]"'::json
            ELSE c.value END), '{}')::text
    FROM json_each(masked_row.value) c WHERE c.key <> ALL (skip));

-- Returns the masked columns in which two rows differ; null if they differ in no column but those that
-- are left out.
CREATE FUNCTION audit.changed_masks(old json, new json, mask text[], skip text[]) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN (
    SELECT CASE WHEN count(*) > 0 THEN
        coalesce(json_agg(o.key) FILTER (WHERE o.key = ANY (mask)), '[]')::text END
    FROM json_each(old) o JOIN json_each(new) n USING (key)
    WHERE o.value::text <> n.value::text AND o.key <> ALL (skip));

-- Returns the columns of the key of a row.
CREATE FUNCTION audit.key_of(value json, columns text[]) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN (
    SELECT coalesce(json_object_agg(c.key, c.value), '{}')::text
    FROM json_each(key_of.value) c WHERE c.key = ANY (columns));

CREATE FUNCTION audit.capture_statement() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC' SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET bytea_output = 'hex'
SET extra_float_digits = 1 AS $function$
DECLARE
    options json := TG_ARGV[0];
    mask text[] := ARRAY(SELECT json_array_elements_text(options -> 'mask'));
    skip text[] := ARRAY(SELECT json_array_elements_text(options -> 'skip'));
    columns text[] := ARRAY(SELECT json_array_elements_text(options -> 'key'));
    is_plain boolean := mask = '{}' AND skip = '{}';
    log_column text := options ->> 'logColumn';
    log bytea := audit.log_key(coalesce(
        options ->> 'log', nullif(current_setting('audit.context_log', true), ''), 'platform'));
    now timestamptz := clock_timestamp();
    ms bigint := floor(extract(epoch FROM now) * 1000);
    op text := CASE TG_OP WHEN 'INSERT' THEN 'created' WHEN 'UPDATE' THEN 'updated'
        WHEN 'DELETE' THEN 'deleted' ELSE 'truncated' END;
    -- A row has at most so many bytes, both versions together. Of a longer one only the key is recorded.
    most CONSTANT int := 1500000;
    -- The numbers of these columns are recorded with all their digits.
    numeric_columns json := (
        SELECT coalesce(json_agg(a.attname), '[]') FROM pg_attribute a
        JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND 'numeric'::regtype IN (t.oid, t.typbasetype));
    head text := '{"v":1,"capture":{"at":' || to_json(to_char(now, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
        || ',"type":' || (options -> 'type')::text || ',"op":"' || op
        || '","key":' || (options -> 'key')::text || ',"numeric":' || numeric_columns::text
        || ',"table":' || to_json(format('%I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME))::text
        || ',"user":' || to_json(session_user)::text
        || ',"transaction":"' || pg_current_xact_id()::text
        || '","context":' || coalesce(nullif(current_setting('audit.context', true), ''), 'null');
    head_row text := head || ',"rows":[[';
    tail_row CONSTANT text := ']]}}';
    tail_cut CONSTANT text := ']],"truncated":true}}';
    first int := (options ->> 'rows')::int;
    total bigint := 0;
    items text;
BEGIN
    IF options ->> 'each' = 'row' THEN
        IF TG_OP = 'INSERT' THEN
            INSERT INTO audit.staged (log, id, body)
            SELECT CASE WHEN log_column IS NULL THEN log
                    ELSE audit.log_key(coalesce(n.j ->> log_column, 'platform')) END,
                audit.capture_id(ms, n.at),
                CASE WHEN octet_length(n.j::text) <= most
                    THEN head_row || 'null,' || CASE WHEN is_plain THEN n.j::text
                        ELSE audit.masked_row(n.j, mask, skip) END || ',[]' || tail_row
                    ELSE head_row || 'null,' || audit.key_of(n.j, columns) || ',[]' || tail_cut END
            FROM (SELECT row_number() OVER () AS at, row_to_json(r) AS j FROM new_rows r) n
            ORDER BY n.at;
        ELSIF TG_OP = 'DELETE' THEN
            INSERT INTO audit.staged (log, id, body)
            SELECT CASE WHEN log_column IS NULL THEN log
                    ELSE audit.log_key(coalesce(o.j ->> log_column, 'platform')) END,
                audit.capture_id(ms, o.at),
                CASE WHEN octet_length(o.j::text) <= most
                    THEN head_row || CASE WHEN is_plain THEN o.j::text
                        ELSE audit.masked_row(o.j, mask, skip) END || ',null,[]' || tail_row
                    ELSE head_row || audit.key_of(o.j, columns) || ',null,[]' || tail_cut END
            FROM (SELECT row_number() OVER () AS at, row_to_json(r) AS j FROM old_rows r) o
            ORDER BY o.at;
        ELSIF TG_OP = 'UPDATE' AND is_plain THEN
            -- Both transition tables have the rows in the same order.
            INSERT INTO audit.staged (log, id, body)
            SELECT CASE WHEN log_column IS NULL THEN log
                    ELSE audit.log_key(coalesce(n.j ->> log_column, 'platform')) END,
                audit.capture_id(ms, n.at),
                CASE WHEN octet_length(o.j::text) + octet_length(n.j::text) <= most
                    THEN head_row || o.j::text || ',' || n.j::text || ',[]' || tail_row
                    ELSE head_row || audit.key_of(o.j, columns) || ','
                        || audit.key_of(n.j, columns) || ',[]' || tail_cut END
            FROM (SELECT row_number() OVER () AS at, row_to_json(r) AS j FROM old_rows r) o
            JOIN (SELECT row_number() OVER () AS at, row_to_json(r) AS j FROM new_rows r) n USING (at)
            WHERE o.j::text <> n.j::text
            ORDER BY n.at;
        ELSIF TG_OP = 'UPDATE' THEN
            INSERT INTO audit.staged (log, id, body)
            SELECT CASE WHEN log_column IS NULL THEN log
                    ELSE audit.log_key(coalesce(c.new ->> log_column, 'platform')) END,
                audit.capture_id(ms, c.at),
                CASE WHEN octet_length(c.old_text) + octet_length(c.new_text) <= most
                    THEN head_row || c.old_text || ',' || c.new_text || ',' || c.masks || tail_row
                    ELSE head_row || audit.key_of(c.old, columns) || ','
                        || audit.key_of(c.new, columns) || ',' || c.masks || tail_cut END
            FROM (
                SELECT at, o.j AS old, n.j AS new, audit.masked_row(o.j, mask, skip) AS old_text,
                    audit.masked_row(n.j, mask, skip) AS new_text,
                    audit.changed_masks(o.j, n.j, mask, skip) AS masks
                FROM (SELECT row_number() OVER () AS at, row_to_json(r) AS j FROM old_rows r) o
                JOIN (SELECT row_number() OVER () AS at, row_to_json(r) AS j FROM new_rows r) n
                    USING (at)
                WHERE o.j::text <> n.j::text
                OFFSET 0) c
            WHERE c.masks IS NOT NULL
            ORDER BY c.at;
        ELSE
            INSERT INTO audit.staged (log, id, body)
            VALUES (log, audit.capture_id(ms, 0), head || ',"rows":[]}}');
        END IF;
        RETURN NULL;
    END IF;

    IF TG_OP = 'INSERT' THEN
        total := (SELECT count(*) FROM new_rows);
        items := (
            SELECT string_agg(item, ',' ORDER BY at) FILTER (WHERE bytes <= most) FROM (
                SELECT at, item, sum(octet_length(item)) OVER (ORDER BY at) AS bytes FROM (
                    SELECT row_number() OVER () AS at,
                        '[null,' || audit.masked_row(row_to_json(r), mask, skip) || ',[]]' AS item
                    FROM (TABLE new_rows LIMIT first) r) i) s);
    ELSIF TG_OP = 'DELETE' THEN
        total := (SELECT count(*) FROM old_rows);
        items := (
            SELECT string_agg(item, ',' ORDER BY at) FILTER (WHERE bytes <= most) FROM (
                SELECT at, item, sum(octet_length(item)) OVER (ORDER BY at) AS bytes FROM (
                    SELECT row_number() OVER () AS at,
                        '[' || audit.masked_row(row_to_json(r), mask, skip) || ',null,[]]' AS item
                    FROM (TABLE old_rows LIMIT first) r) i) s);
    ELSIF TG_OP = 'UPDATE' THEN
        SELECT count(*), string_agg(item, ',' ORDER BY rank) FILTER (WHERE bytes <= most)
        INTO total, items FROM (
            SELECT rank, item, sum(octet_length(item)) OVER (ORDER BY rank) AS bytes FROM (
                SELECT rank, CASE WHEN rank <= first THEN
                    '[' || audit.masked_row(before, mask, skip) || ','
                        || audit.masked_row(after, mask, skip) || ',' || masks || ']' END AS item
                FROM (
                    SELECT before, after, masks, row_number() OVER (ORDER BY at) AS rank FROM (
                        SELECT at, o.j AS before, n.j AS after, CASE WHEN is_plain THEN '[]'
                            ELSE audit.changed_masks(o.j, n.j, mask, skip) END AS masks
                        FROM (SELECT row_number() OVER () AS at, row_to_json(r) AS j
                            FROM old_rows r) o
                        JOIN (SELECT row_number() OVER () AS at, row_to_json(r) AS j
                            FROM new_rows r) n USING (at)
                        WHERE o.j::text <> n.j::text
                        OFFSET 0) c
                    WHERE masks IS NOT NULL) r) i) s;
    END IF;
    IF total > 0 OR TG_OP = 'TRUNCATE' THEN
        INSERT INTO audit.staged (log, id, body)
        VALUES (log, audit.capture_id(ms, 0), head
            || CASE WHEN TG_OP = 'TRUNCATE' THEN '' ELSE ',"count":' || total END
            || ',"rows":[' || coalesce(items, '') || ']}}');
    END IF;
    RETURN NULL;
END
$function$;

-- Begins to capture the changes of a table, or changes how they are captured.
CREATE FUNCTION audit.capture(relation regclass, options json DEFAULT '{}') RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    wrong text;
    columns text[] := ARRAY(
        SELECT attname FROM pg_attribute
        WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped);
    key json := coalesce(options -> 'key', (
        SELECT json_agg(a.attname ORDER BY k.at) FROM pg_index i
        CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (attnum, at)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
        WHERE i.indrelid = relation AND i.indisprimary), '[]');
    arguments json;
BEGIN
    SELECT o.name INTO wrong FROM json_object_keys(options) AS o (name)
    WHERE o.name NOT IN ('type', 'log', 'logColumn', 'key', 'mask', 'skip', 'each', 'rows');
    IF wrong IS NOT NULL THEN
        RAISE invalid_parameter_value USING MESSAGE = format('audit.capture has no option "%s"', wrong);
    END IF;
    SELECT c.name INTO wrong FROM (
        SELECT json_array_elements_text(key) UNION ALL
        SELECT json_array_elements_text(coalesce(options -> 'mask', '[]')) UNION ALL
        SELECT json_array_elements_text(coalesce(options -> 'skip', '[]')) UNION ALL
        SELECT options ->> 'logColumn' WHERE options ->> 'logColumn' IS NOT NULL) AS c (name)
    WHERE c.name <> ALL (columns);
    IF wrong IS NOT NULL THEN
        RAISE undefined_column USING MESSAGE = format('%s has no column "%s"', relation, wrong);
    END IF;
    IF coalesce(options ->> 'each', 'row') NOT IN ('row', 'statement')
        OR coalesce((options ->> 'rows')::int, 100) NOT BETWEEN 0 AND 1000
        OR (options ->> 'each' = 'statement' AND options ->> 'logColumn' IS NOT NULL)
        OR (options ->> 'log' IS NOT NULL AND options ->> 'logColumn' IS NOT NULL)
    THEN
        RAISE invalid_parameter_value USING MESSAGE = 'audit.capture takes "each" as "row" or '
            '"statement", "rows" from 0 to 1000, and a "logColumn" only without "log" and for each row';
    END IF;
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = relation
        AND attname = options ->> 'logColumn' AND atttypid <> 'uuid'::regtype)
    THEN
        RAISE datatype_mismatch USING MESSAGE = 'the "logColumn" must have the type uuid';
    END IF;
    IF (SELECT relnamespace FROM pg_class WHERE oid = relation) = 'audit'::regnamespace THEN
        RAISE invalid_parameter_value USING MESSAGE = 'the tables of the schema audit are not captured';
    END IF;
    PERFORM audit.log_key(options ->> 'log');
    arguments := json_build_object(
        'type', coalesce(options ->> 'type', (SELECT relname FROM pg_class WHERE oid = relation)),
        'log', options ->> 'log', 'logColumn', options ->> 'logColumn', 'key', key,
        'mask', coalesce(options -> 'mask', '[]'), 'skip', coalesce(options -> 'skip', '[]'),
        'each', coalesce(options ->> 'each', 'row'), 'rows', coalesce((options ->> 'rows')::int, 100));
    EXECUTE format('CREATE OR REPLACE TRIGGER audit_capture_insert AFTER INSERT ON %s
        REFERENCING NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION audit.capture_statement(%L)', relation, arguments);
    EXECUTE format('CREATE OR REPLACE TRIGGER audit_capture_update AFTER UPDATE ON %s
        REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION audit.capture_statement(%L)', relation, arguments);
    EXECUTE format('CREATE OR REPLACE TRIGGER audit_capture_delete AFTER DELETE ON %s
        REFERENCING OLD TABLE AS old_rows
        FOR EACH STATEMENT EXECUTE FUNCTION audit.capture_statement(%L)', relation, arguments);
    EXECUTE format('CREATE OR REPLACE TRIGGER audit_capture_truncate AFTER TRUNCATE ON %s
        FOR EACH STATEMENT EXECUTE FUNCTION audit.capture_statement(%L)', relation, arguments);
END
$function$;

-- Ends the capture of a table.
CREATE FUNCTION audit.uncapture(relation regclass) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['insert', 'update', 'delete', 'truncate'] LOOP
        EXECUTE format('DROP TRIGGER IF EXISTS audit_capture_%s ON %s', name, relation);
    END LOOP;
END
$function$;
REVOKE ALL ON FUNCTION audit.capture(regclass, json), audit.uncapture(regclass),
    audit.capture_statement() FROM PUBLIC;
