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
-- The end is random, and the same for all ids of a statement.
CREATE FUNCTION audit.capture_id(ms bigint, at bigint, random text) RETURNS uuid
LANGUAGE sql IMMUTABLE
RETURN (lpad(to_hex(ms + at / 4096), 12, '0') || '7' || lpad(to_hex(at % 4096), 3, '0')
    || random)::uuid;

-- Returns the columns of the key of a row, or null of no row.
CREATE FUNCTION audit.key_of(value text, columns text[]) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN value = 'null' THEN value ELSE (
    SELECT coalesce(json_object_agg(c.key, c.value), '{}')::text
    FROM json_each(key_of.value::json) c WHERE c.key = ANY (columns)) END;

-- Returns a row without the columns that are left out, and with masks.
CREATE FUNCTION audit.masked_row(value json, mask text[], skip text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $function$
BEGIN
    RETURN (
        SELECT coalesce(json_object_agg(c.key, CASE
                WHEN c.key = ANY (mask) AND json_typeof(c.value) <> 'null' THEN '"[redacted]"'::json
                ELSE c.value END), '{}')
        FROM json_each(masked_row.value) c WHERE c.key <> ALL (skip));
END
$function$;

-- Returns the values of masked columns, to be compared and not to be kept.
CREATE FUNCTION audit.masked_values(value json, mask text[]) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE AS $function$
BEGIN
    RETURN ARRAY(
        SELECT (masked_values.value -> m.name)::text
        FROM unnest(mask) WITH ORDINALITY AS m (name, at) ORDER BY m.at);
END
$function$;

-- Returns the names of the masked columns in which two rows differ, as a list in JSON.
CREATE FUNCTION audit.changed_masks(old text[], new text[], mask text[]) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN old IS NOT DISTINCT FROM new THEN '[]' ELSE (
    SELECT json_agg(c.name)::text FROM unnest(old, new, mask) AS c (old, new, name)
    WHERE c.old IS DISTINCT FROM c.new) END;

-- Returns SQL that does the same for many rows. It writes the columns out: to take a row apart and to make
-- it again costs more than all the rest.
CREATE FUNCTION audit.capture_rows(
    relation oid, rows text, mask text[], skip text[], log_column text) RETURNS text
LANGUAGE sql STABLE
RETURN (
    SELECT format('(SELECT row_number() OVER () AS at, row_to_json(v)::text AS j, %s AS log_name,
            ARRAY[%s]::text[] AS masked
            FROM %s r CROSS JOIN LATERAL (SELECT %s) v)',
        CASE WHEN log_column IS NULL THEN 'NULL::text'
            ELSE format('coalesce(r.%I::text, ''platform'')', log_column) END,
        (SELECT string_agg(format('to_json(r.%I)::text', m.name), ', ' ORDER BY m.at)
            FROM unnest(mask) WITH ORDINALITY AS m (name, at)),
        rows,
        string_agg(CASE WHEN a.attname = ANY (mask)
            THEN format('CASE WHEN r.%1$I IS NOT NULL THEN ''[redacted]'' END AS %1$I', a.attname)
            ELSE format('r.%I', a.attname) END, ', ' ORDER BY a.attnum)
            FILTER (WHERE a.attname <> ALL (skip)))
    FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped);

-- Just-in-time compilation costs more than it gains here.
CREATE FUNCTION audit.capture_statement() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC' SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET bytea_output = 'hex'
SET extra_float_digits = 1 SET jit = off AS $function$
DECLARE
    options json := TG_ARGV[0];
    skip text[] := ARRAY(SELECT json_array_elements_text(options -> 'skip'));
    mask text[] := ARRAY(
        SELECT m.name FROM json_array_elements_text(options -> 'mask') AS m (name)
        JOIN pg_attribute a ON a.attrelid = TG_RELID AND a.attname = m.name AND NOT a.attisdropped
        WHERE m.name <> ALL (skip));
    columns text[] := ARRAY(SELECT json_array_elements_text(options -> 'key'));
    is_plain boolean := mask = '{}' AND skip = '{}';
    log_column text := options ->> 'logColumn';
    log bytea := audit.log_key(coalesce(
        options ->> 'log', nullif(current_setting('audit.context_log', true), ''), 'platform'));
    now timestamptz := clock_timestamp();
    ms bigint := floor(extract(epoch FROM now) * 1000);
    random text := right(gen_random_uuid()::text, 17);
    op text := CASE TG_OP WHEN 'INSERT' THEN 'created' WHEN 'UPDATE' THEN 'updated'
        WHEN 'DELETE' THEN 'deleted' ELSE 'truncated' END;
    -- The highest size of a row in bytes, both versions together. Of a longer one only the key is recorded.
    most CONSTANT int := 1500000;
    few CONSTANT int := 16;
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
    first int := CASE WHEN options ->> 'each' = 'statement' THEN (options ->> 'rows')::int END;
    is_static boolean := first IS NULL AND is_plain AND log_column IS NULL;
    changes text;
    total bigint;
    items text;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO audit.staged (log, id, body)
        VALUES (log, audit.capture_id(ms, 0, random), head || ',"rows":[]}}');
        RETURN NULL;
    END IF;

    -- To plan SQL for a table costs more than it gains for few rows.
    IF first IS NULL AND NOT is_static THEN
        IF TG_OP = 'DELETE' THEN
            is_static := NOT EXISTS (SELECT FROM old_rows OFFSET few);
        ELSE
            is_static := NOT EXISTS (SELECT FROM new_rows OFFSET few);
        END IF;
    END IF;
    -- The plans of these are kept by the session.
    IF is_static AND TG_OP = 'INSERT' THEN
        INSERT INTO audit.staged (log, id, body)
        SELECT coalesce(audit.log_key(n.log_name), log), audit.capture_id(ms, n.at, random),
            CASE WHEN octet_length(n.j) <= most
                THEN head_row || 'null,' || n.j || ',[]' || tail_row
                ELSE head_row || 'null,' || audit.key_of(n.j, columns) || ',[]' || tail_cut END
        FROM (
            SELECT row_number() OVER () AS at, CASE WHEN is_plain THEN row_to_json(r)::text
                    ELSE audit.masked_row(row_to_json(r), mask, skip) END AS j,
                CASE WHEN log_column IS NOT NULL
                    THEN coalesce(row_to_json(r) ->> log_column, 'platform') END AS log_name
            FROM new_rows r) n
        ORDER BY n.at;
        RETURN NULL;
    ELSIF is_static AND TG_OP = 'DELETE' THEN
        INSERT INTO audit.staged (log, id, body)
        SELECT coalesce(audit.log_key(o.log_name), log), audit.capture_id(ms, o.at, random),
            CASE WHEN octet_length(o.j) <= most
                THEN head_row || o.j || ',null,[]' || tail_row
                ELSE head_row || audit.key_of(o.j, columns) || ',null,[]' || tail_cut END
        FROM (
            SELECT row_number() OVER () AS at, CASE WHEN is_plain THEN row_to_json(r)::text
                    ELSE audit.masked_row(row_to_json(r), mask, skip) END AS j,
                CASE WHEN log_column IS NOT NULL
                    THEN coalesce(row_to_json(r) ->> log_column, 'platform') END AS log_name
            FROM old_rows r) o
        ORDER BY o.at;
        RETURN NULL;
    ELSIF is_static THEN
        -- Both transition tables have the rows in the same order.
        INSERT INTO audit.staged (log, id, body)
        SELECT coalesce(audit.log_key(n.log_name), log), audit.capture_id(ms, n.at, random),
            CASE WHEN octet_length(o.j) + octet_length(n.j) <= most
                THEN head_row || o.j || ',' || n.j || ','
                    || audit.changed_masks(o.masked, n.masked, mask) || tail_row
                ELSE head_row || audit.key_of(o.j, columns) || ',' || audit.key_of(n.j, columns)
                    || ',' || audit.changed_masks(o.masked, n.masked, mask) || tail_cut END
        FROM (
            SELECT row_number() OVER () AS at, CASE WHEN is_plain THEN row_to_json(r)::text
                    ELSE audit.masked_row(row_to_json(r), mask, skip) END AS j,
                CASE WHEN NOT is_plain THEN audit.masked_values(row_to_json(r), mask) END AS masked
            FROM old_rows r) o
        JOIN (
            SELECT row_number() OVER () AS at, CASE WHEN is_plain THEN row_to_json(r)::text
                    ELSE audit.masked_row(row_to_json(r), mask, skip) END AS j,
                CASE WHEN NOT is_plain THEN audit.masked_values(row_to_json(r), mask) END AS masked,
                CASE WHEN log_column IS NOT NULL
                    THEN coalesce(row_to_json(r) ->> log_column, 'platform') END AS log_name
            FROM new_rows r) n USING (at)
        WHERE o.j <> n.j OR o.masked IS DISTINCT FROM n.masked
        ORDER BY n.at;
        RETURN NULL;
    END IF;

    -- SQL with the columns `at`, `old`, `new`, `masks` and `log_name`.
    IF TG_OP = 'UPDATE' THEN
        changes := format('SELECT n.at, o.j AS old, n.j AS new, n.log_name,
                audit.changed_masks(o.masked, n.masked, %L) AS masks
            FROM %s o JOIN %s n USING (at)
            WHERE o.j <> n.j OR o.masked IS DISTINCT FROM n.masked',
            mask, audit.capture_rows(TG_RELID, 'old_rows', mask, skip, NULL),
            audit.capture_rows(TG_RELID, 'new_rows', mask, skip, log_column));
    ELSE
        changes := format('SELECT r.at, %s AS old, %s AS new, r.log_name, ''[]'' AS masks FROM %s r',
            CASE TG_OP WHEN 'INSERT' THEN '''null''' ELSE 'r.j' END,
            CASE TG_OP WHEN 'INSERT' THEN 'r.j' ELSE '''null''' END,
            audit.capture_rows(TG_RELID,
                format(CASE WHEN first IS NULL THEN '%s' ELSE '(TABLE %s LIMIT %s)' END,
                    CASE TG_OP WHEN 'INSERT' THEN 'new_rows' ELSE 'old_rows' END, first),
                mask, skip, log_column));
    END IF;
    IF first IS NULL THEN
        EXECUTE format('INSERT INTO audit.staged (log, id, body)
            SELECT coalesce(audit.log_key(c.log_name), $1), audit.capture_id($2, c.at, $3),
                CASE WHEN octet_length(c.old) + octet_length(c.new) <= $4
                    THEN $5 || c.old || '','' || c.new || '','' || c.masks || $6
                    ELSE $5 || audit.key_of(c.old, $7) || '','' || audit.key_of(c.new, $7)
                        || '','' || c.masks || $8 END
            FROM (%s) c ORDER BY c.at', changes)
        USING log, ms, random, most, head_row, tail_row, columns, tail_cut;
        RETURN NULL;
    END IF;
    EXECUTE format('SELECT count(*), string_agg(item, '','' ORDER BY rank) FILTER (WHERE bytes <= $1)
        FROM (
            SELECT rank, item, sum(octet_length(item)) OVER (ORDER BY rank) AS bytes FROM (
                SELECT row_number() OVER (ORDER BY c.at) AS rank, CASE
                    WHEN row_number() OVER (ORDER BY c.at) <= $2
                    THEN ''['' || c.old || '','' || c.new || '','' || c.masks || '']'' END AS item
                FROM (%s) c) r) i', changes)
    INTO total, items USING most, first;
    IF TG_OP = 'INSERT' THEN
        total := (SELECT count(*) FROM new_rows);
    ELSIF TG_OP = 'DELETE' THEN
        total := (SELECT count(*) FROM old_rows);
    END IF;
    IF total > 0 THEN
        INSERT INTO audit.staged (log, id, body)
        VALUES (log, audit.capture_id(ms, 0, random), head || ',"count":' || total
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
