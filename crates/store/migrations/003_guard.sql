-- Bounds on what one device, one peer or a stranger may make this node keep.

-- What each device has written, for the caps of admission.
CREATE TABLE writer (
    device BLOB NOT NULL,
    doc    INTEGER NOT NULL REFERENCES document(id),
    bytes  INTEGER NOT NULL,                -- of change bodies
    PRIMARY KEY (device, doc)
) STRICT, WITHOUT ROWID;
INSERT INTO writer SELECT substr(actor, 1, 32), doc, SUM(LENGTH(body)) FROM change GROUP BY 1, 2;

-- Waiting changes: which change each waits for, so that only those are judged again that it lets in.
-- Those that wait already are not known to need anything: the next check brings them again.
ALTER TABLE held ADD COLUMN needs BLOB;
DELETE FROM held WHERE wait = 'Dependency';
CREATE INDEX held_needs ON held (document, needs);
CREATE INDEX held_actor ON held (actor, LENGTH(body));
CREATE INDEX held_from ON held (from_peer, LENGTH(body));
CREATE INDEX held_wait ON held (wait, LENGTH(body));

-- Evidence: the changes that lead from `body` to the one that `tip` signs, where that is a later one.
ALTER TABLE quarantine ADD COLUMN proof BLOB;
CREATE INDEX quarantine_actor ON quarantine (actor);

-- Wishes to be enrolled: in the order of arrival, which no clock tells, and from where, so that a flood
-- from one place pushes out its own.
ALTER TABLE wish ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
ALTER TABLE wish ADD COLUMN source TEXT NOT NULL DEFAULT '';

CREATE INDEX event_peer ON event (peer);
CREATE INDEX receipt_node ON receipt (node, store);
