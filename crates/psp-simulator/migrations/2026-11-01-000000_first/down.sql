DROP TABLE faults;
DROP TABLE notifications;
DROP TABLE ledger;
DROP TABLE operations;
DROP TABLE payments;
DROP TABLE tokens;
