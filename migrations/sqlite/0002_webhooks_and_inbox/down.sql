DROP INDEX sessions_capture_failed;
DROP INDEX operations_list;
DROP INDEX idempotency_keys_answered;
DROP TABLE psp_notifications;
DROP TABLE delivery_attempts;
DROP TABLE deliveries;
DROP TABLE webhook_endpoints;
