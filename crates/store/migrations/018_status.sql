-- The status of every person, so that each look at the list of schools counts who is in service without reading
-- anybody's fields. The expression is that of `node/src/office/schools.rs`, word for word.
CREATE INDEX record_status ON record (school, id, kind, COALESCE(json_extract(fields, '$.status'), ''))
    WHERE kind = 'person' AND school IS NOT NULL;
