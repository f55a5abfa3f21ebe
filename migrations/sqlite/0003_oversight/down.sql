DROP INDEX audit_log_by_session;
DROP INDEX psp_notifications_by_session;
DROP INDEX operations_by_psp_reference;
DROP INDEX sessions_by_order;
DROP INDEX sessions_by_reference;
CREATE INDEX sessions_by_reference ON sessions (merchant_id, reference, created_at, id);
DROP INDEX sessions_newest;
