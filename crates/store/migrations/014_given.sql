-- Copies of a letter that a device was handed which had no reason to be given it: the same device is given it again, if it
-- did not arrive, and no more copies are counted. 0: the device has said that it has it.
CREATE TABLE mail_given (
    name   TEXT NOT NULL,
    node   BLOB NOT NULL,
    copies INTEGER NOT NULL,
    PRIMARY KEY (name, node)
) STRICT, WITHOUT ROWID;
