-- How a merchant's checkout looks; NULL: as the checkout's own. migrations/postgres has the same.
ALTER TABLE merchants ADD COLUMN accent TEXT
    CHECK (length(accent) = 7 AND accent GLOB '#[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]');
ALTER TABLE merchants ADD COLUMN accent_dark TEXT
    CHECK (length(accent_dark) = 7 AND accent_dark GLOB '#[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]');
ALTER TABLE merchants ADD COLUMN logo BLOB CHECK (length(logo) BETWEEN 1 AND 8192);
