-- What a peer's program reads, for the first flight to it; and how far its present store has been heard.
ALTER TABLE peer ADD COLUMN speaks INTEGER;  -- wire::Speaks::to_number
ALTER TABLE peer ADD COLUMN have INTEGER;    -- its local sequence up to which it has sent us what we may read
