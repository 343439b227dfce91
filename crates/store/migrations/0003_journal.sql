-- Schema 3: the body log holds entries of the journal behind the end that a segment's row names. An
-- older program would cut them off, and with them what was promised; so it must not open the folder.

-- What waits for one host is taken by lane.
DROP INDEX recipient_domain;
CREATE INDEX recipient_domain ON recipient (domain, lane, due) WHERE lane > 0;
