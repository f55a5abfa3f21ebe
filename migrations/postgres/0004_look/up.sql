-- How a merchant's checkout looks; NULL: as the checkout's own. migrations/sqlite has the same.
ALTER TABLE merchants ADD COLUMN accent text CHECK (accent ~ '^#[0-9a-f]{6}$');
ALTER TABLE merchants ADD COLUMN accent_dark text CHECK (accent_dark ~ '^#[0-9a-f]{6}$');
ALTER TABLE merchants ADD COLUMN logo bytea CHECK (octet_length(logo) BETWEEN 1 AND 8192);
