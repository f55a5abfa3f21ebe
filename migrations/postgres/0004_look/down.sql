ALTER TABLE merchants DROP COLUMN logo;
ALTER TABLE merchants DROP COLUMN accent_dark;
ALTER TABLE merchants DROP COLUMN accent;
