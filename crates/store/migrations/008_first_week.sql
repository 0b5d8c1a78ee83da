-- A forgotten PIN and a clerk's handover without a network: codes on paper or from a leader, each used once. Only
-- their hashes are kept. They belong to this node and never travel.

CREATE TABLE recovery_code (
    code_hash BLOB PRIMARY KEY,
    account   TEXT,              -- good for this account alone; NULL: on paper, for any
    made_by   TEXT NOT NULL,     -- the name of the account that made it
    made_at   INTEGER NOT NULL,
    used_at   INTEGER
) STRICT;

-- Wrong codes since the last good one, of the whole node.
CREATE TABLE recovery_guard (
    one INTEGER PRIMARY KEY CHECK (one = 1), failures INTEGER NOT NULL, locked_until INTEGER NOT NULL
) STRICT;
INSERT INTO recovery_guard VALUES (1, 0, 0);

-- Whose work went over to whom. Kept for ever, unlike the access log.
CREATE TABLE handover (
    id INTEGER PRIMARY KEY, old TEXT NOT NULL, new TEXT NOT NULL, role TEXT NOT NULL, at INTEGER NOT NULL
) STRICT;

-- A person's own records, of every kind.
CREATE INDEX record_of_person ON record (person);
