//! Parsing of keyrings, sealing, and derived keys.

use super::*;

const CONTEXT: SealContext<'_> = SealContext {
    table: "contacts",
    column: "email",
    row: b"cs_1",
};

fn ring(entries: &[(&str, u8)]) -> Keyring {
    let entry = |(id, byte): &(&str, u8)| {
        Keyring::entry(&KeyId::parse(id).unwrap(), &[*byte; 32]).to_string()
    };
    Keyring::parse(&entries.iter().map(entry).collect::<Vec<_>>().join(",")).unwrap()
}

#[test]
fn the_first_key_seals_and_all_keys_open() {
    let (old, both) = (ring(&[("a", 1)]), ring(&[("b", 2), ("a", 1)]));
    let sealed = old.seal(CONTEXT, [9; 12], b"shopper").unwrap();
    assert_eq!(both.open(CONTEXT, &sealed).unwrap().as_slice(), b"shopper");
    let new = both.seal(CONTEXT, [9; 12], b"shopper").unwrap();
    assert_eq!(new.key_id.as_str(), "b");
    assert!(matches!(
        old.open(CONTEXT, &new),
        Err(KeyringError::UnknownKey(_))
    ));
}

#[test]
fn a_value_moved_or_altered_does_not_open() {
    let keys = ring(&[("a", 1)]);
    let sealed = keys.seal(CONTEXT, [9; 12], b"shopper").unwrap();
    let elsewhere = SealContext {
        row: b"cs_2",
        ..CONTEXT
    };
    assert_eq!(
        keys.open(elsewhere, &sealed).unwrap_err(),
        KeyringError::CannotOpen
    );
    for at in 0..sealed.bytes.len() {
        let mut altered = sealed.clone();
        altered.bytes[at] ^= 1;
        assert!(keys.open(CONTEXT, &altered).is_err(), "byte {at}");
    }
}

#[test]
fn invalid_key_lists_name_the_entry() {
    let zero = Keyring::entry(&KeyId::parse("z").unwrap(), &[0; 32]).to_string();
    let one = Keyring::entry(&KeyId::parse("a").unwrap(), &[1; 32]).to_string();
    let error = |text: &str| Keyring::parse(text).unwrap_err();
    assert_eq!(error(" , "), KeyringError::Empty);
    assert_eq!(error("nonsense"), KeyringError::Malformed(1));
    assert_eq!(error("a:AAAA"), KeyringError::Malformed(1));
    assert_eq!(error(&format!("{one},{zero}")), KeyringError::AllZero(2));
    assert_eq!(error(&format!("{one} {one}")), KeyringError::Repeated(2));
}

#[test]
fn purposes_give_different_keys() {
    let keys = ring(&[("a", 1)]);
    let token = |purpose| keys.derive(purpose).sign(b"", b"x");
    assert_ne!(token("pay_token"), token("cursor"));
}

#[test]
fn a_value_is_not_sealed_under_the_bare_master_key() {
    let sealed = ring(&[("a", 1)])
        .seal(CONTEXT, [9; 12], b"shopper")
        .unwrap();
    let bare = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[1; 32]).unwrap());
    let (nonce, mut ciphertext) = (Nonce::assume_unique_for_key([9; 12]), sealed.bytes);
    let aad = Aad::from(CONTEXT.associated_data());
    assert!(
        bare.open_in_place(nonce, aad, &mut ciphertext[12..])
            .is_err()
    );
}

#[test]
fn the_sealing_key_is_hkdf_sha256_of_the_master_key() {
    // A vector that was computed by another implementation (Node.js).
    let sealed = ring(&[("a", 1)])
        .seal(CONTEXT, [9; 12], b"shopper")
        .unwrap();
    let wanted = "090909090909090909090909eb029a88a84980357a28b2c2f0289403dacd5fbcc56f7d";
    assert_eq!(hex::encode(sealed.bytes), wanted);
}

#[test]
fn processes_with_different_orders_accept_each_others_tokens() {
    let lists = [
        ring(&[("a", 1)]),
        ring(&[("a", 1), ("b", 2)]),
        ring(&[("b", 2), ("a", 1)]),
    ];
    let keys = lists.map(|list| list.derive("test"));
    let signed = |body: &[u8]| [b"signed ", body].concat();
    for (signing, verifying) in [(0, 1), (1, 0), (1, 2), (2, 1)] {
        let token = keys[signing].sign(b"body", &signed(b"body"));
        let body = keys[verifying].verify(&token, signed);
        assert_eq!(body, Some(&b"body"[..]), "{signing} {verifying}");
    }
    let unknown = keys[2].sign(b"body", &signed(b"body"));
    assert_eq!(keys[0].verify(&unknown, signed), None);
    for length in 0..unknown.len() {
        assert_eq!(keys[2].verify(&unknown[..length], signed), None, "{length}");
    }
}

#[test]
fn fingerprints_distinguish_keys_and_ids() {
    let of = |id, byte| ring(&[(id, byte)]).fingerprints().remove(0);
    assert_eq!(of("a", 1), of("a", 1));
    assert_ne!(of("a", 1).digest, of("a", 2).digest);
    assert_ne!(of("a", 1).digest, of("b", 1).digest);
    let text = of("a", 1).to_string();
    assert_eq!(text.parse(), Ok(of("a", 1)));
    for bad in ["", "a", "a:00", ":00", &text[1..], &text[..10]] {
        let parsed: Result<KeyFingerprint, _> = bad.parse();
        assert_eq!(parsed, Err(KeyringError::InvalidFingerprint), "{bad}");
    }
}
