-- What operators search by, across merchants. migrations/postgres has the same.

-- The newest of one status; all sessions are the newest of each.
CREATE INDEX sessions_newest ON sessions (status, created_at, id);
-- The reference comes first, so that it can be looked for without its merchant, too.
DROP INDEX sessions_by_reference;
CREATE INDEX sessions_by_reference ON sessions (reference, merchant_id, created_at, id);
CREATE INDEX sessions_by_order ON sessions (order_id, created_at, id) WHERE order_id IS NOT NULL;
CREATE INDEX operations_by_psp_reference ON operations (psp_reference)
    WHERE psp_reference IS NOT NULL;
CREATE INDEX psp_notifications_by_session ON psp_notifications (session_id)
    WHERE session_id IS NOT NULL;
CREATE INDEX audit_log_by_session ON audit_log (session_id) WHERE session_id IS NOT NULL;
