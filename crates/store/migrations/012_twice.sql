-- What was said twice of one person and one thing, and what two devices say differently: asked of a whole school after
-- each change, among tens of thousands of records of which hardly any is either. `kind` stands in them so that they
-- answer alone; they are partial so that no other question takes them for its own.
CREATE INDEX record_marked_twice ON record (school, about, person, kind) WHERE kind = 'attendance';
CREATE INDEX record_claimed_twice ON record (school, about, person, kind) WHERE kind = 'claim';
CREATE INDEX record_disputed ON record (school) WHERE disputed = 1;
