-- What a node must know of each document without reading its changes: a hub holds tens of thousands.

ALTER TABLE document ADD COLUMN last    INTEGER NOT NULL DEFAULT 0;   -- local sequence of its newest change
ALTER TABLE document ADD COLUMN changes INTEGER NOT NULL DEFAULT 0;   -- how many are stored
ALTER TABLE document ADD COLUMN bytes   INTEGER NOT NULL DEFAULT 0;   -- of their bodies

UPDATE document SET (last, changes, bytes) = (
    SELECT COALESCE(MAX(seq), 0), COUNT(*), COALESCE(SUM(LENGTH(body)), 0) FROM change WHERE doc = document.id
);

-- The changes of a document in local order: the row id stands behind each entry.
CREATE INDEX change_doc ON change (doc);
-- The few documents whose views lag behind.
CREATE INDEX document_behind ON document (id) WHERE viewed < last;
