-- Schema 2: mail goes out, and failures are reported.

-- lane: with due: 0 no network needed, 1 first attempt, 2 others. A recipient whose failure has to
-- be reported is due too.
-- hands: in hand under this epoch, times 2; odd: watched.
-- strikes: times that its delivery has brought a worker down.
-- told: 1: the sender was warned of the delay.
DROP INDEX recipient_due;
ALTER TABLE recipient DROP COLUMN hands;  -- nothing has filled it
ALTER TABLE recipient ADD COLUMN lane INTEGER;
ALTER TABLE recipient ADD COLUMN hands INTEGER;
ALTER TABLE recipient ADD COLUMN strikes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE recipient ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
-- 2 is "bounce owed".
UPDATE recipient SET due = coalesce((SELECT accepted FROM item WHERE id = recipient.item), 0)
  WHERE state = 2;
UPDATE recipient
  SET lane = CASE WHEN state = 2 OR account IS NOT NULL THEN 0 WHEN attempts = 0 THEN 1 ELSE 2 END
  WHERE due IS NOT NULL;
CREATE INDEX recipient_due ON recipient (lane, due) WHERE due IS NOT NULL;
CREATE INDEX recipient_domain ON recipient (domain, due) WHERE lane > 0;

-- JSON: what an attempt asked and was answered.
ALTER TABLE history ADD COLUMN trail TEXT;

-- maildir: mail goes there and not into folders of ours; `delivered` then names folder 0.
-- forward: JSON list: mail goes on to these. keep: 1: a copy stays here when it goes on.
ALTER TABLE account ADD COLUMN maildir TEXT;
ALTER TABLE account ADD COLUMN forward TEXT;
ALTER TABLE account ADD COLUMN keep INTEGER NOT NULL DEFAULT 0;
