//! Secrets and personal data are not readable in any column of any table.

use oncharge_domain::{
    blocklist::{Identifier, Peppers},
    merchant::ApiKeyHash,
};
use oncharge_ports::{BlocklistRepository, CheckoutRepository, Inbox};
use oncharge_testkit::Builder;

use crate::fixture::{BODY, EMAIL, Fixture, PHONE, tables};

#[tokio::test(flavor = "multi_thread")]
async fn personal_data_and_secrets_are_not_stored_in_plain_text() {
    let fixture = Fixture::open(2).await;
    fixture
        .store
        .commit(fixture.keyed_session_unit("k"))
        .await
        .unwrap();
    let (session, attempt) = fixture.paying_session().await;
    let request = fixture.store.request(attempt.id).await.unwrap().unwrap();
    let contact = &session.contact;
    let peppers = Peppers::new(&oncharge_conformance::keys());
    for identifier in Identifier::of_contact(contact) {
        let mut ban = Builder::new(9).ban([0; 32]);
        ban.id = fixture.build.id();
        ban.hash = peppers.hashes(&identifier).remove(0);
        let audit = fixture
            .build
            .audit(oncharge_domain::audit::AuditAction::BanAdded);
        let pepper = peppers.fingerprints()[0].clone();
        assert!(fixture.store.add(&ban, &pepper, &audit).await.unwrap());
    }
    let notification = fixture.build.notification("evt-1");
    assert!(fixture.store.receive(&notification).await.unwrap());
    let dump = dump(&fixture).await;
    assert!(
        dump.contains(b"order-42"),
        "the dump does not contain the order number"
    );
    let secrets = [
        EMAIL,
        PHONE,
        "jane.doe",
        "15112345678",
        BODY,
        "pt_very_secret",
    ];
    let sealed: [&[u8]; 2] = [request.expose(), &notification.body];
    for secret in secrets.iter().map(|text| text.as_bytes()).chain(sealed) {
        assert!(
            !dump.contains(secret),
            "{:?}",
            String::from_utf8_lossy(secret)
        );
    }
    // The hash by which a key is found is stored; the key itself is not.
    let ApiKeyHash { .. } = &fixture.key_hash;
    assert!(dump.contains(fixture.key_hash.bytes()));
}

/// All values of all tables: text, and binary values as raw bytes.
struct Dump(Vec<Vec<u8>>);

impl Dump {
    fn contains(&self, wanted: &[u8]) -> bool {
        let within = |value: &Vec<u8>| value.windows(wanted.len()).any(|part| part == wanted);
        self.0.iter().any(within)
    }
}

async fn dump(fixture: &Fixture) -> Dump {
    let client = fixture.database.client().await;
    let mut values = Vec::new();
    let columns = "SELECT column_name::text, data_type::text FROM information_schema.columns \
         WHERE table_schema = 'public' AND table_name = $1";
    for table in tables(&client).await {
        for column in client.query(columns, &[&table]).await.unwrap() {
            let (name, kind): (String, String) = (column.get(0), column.get(1));
            let value = match kind.as_str() {
                "bytea" => name,
                _ => format!("convert_to({name}::text, 'UTF8')"),
            };
            let query = format!("SELECT {value} FROM {table}");
            for row in client.query(&query, &[]).await.unwrap() {
                values.extend(row.get::<_, Option<Vec<u8>>>(0));
            }
        }
    }
    Dump(values)
}
