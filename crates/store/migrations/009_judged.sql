-- What a change names of other people's is looked at since this version (`documents/taking.rs`, judge): every
-- document is read anew once, so that what an older program took is judged too.

UPDATE document SET viewed = -1;
