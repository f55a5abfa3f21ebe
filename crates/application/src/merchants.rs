//! What operators do with merchants and their keys.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use oncharge_domain::{
    audit::{AuditAction, AuditEntry},
    id::{ApiKeyId, MerchantId},
    merchant::{ApiKey, ApiKeyHash, Merchant, accent::Accent, logo::Logo, look::Look},
    psp::PspAccount,
    signing::SigningKey,
    text::MerchantName,
};
use zeroize::Zeroizing;

use crate::{App, Error};

/// A new pair, shown once.
pub struct NewPair {
    /// The API key, `ock_…`.
    pub api_key: String,
    /// The API secret, `ocs_…`; only its SHA-256 is kept.
    pub api_secret: Zeroizing<String>,
}

/// What a new merchant starts with.
#[derive(Debug, Clone)]
pub struct NewMerchant {
    /// Its name, as shoppers see it.
    pub name: MerchantName,
    /// The PSP account that it uses.
    pub account: PspAccount,
    /// Seconds from authorisation to automatic capture.
    pub capture_delay_seconds: u32,
    /// How its checkout looks.
    pub look: Look,
}

/// Settings to change; `None` leaves one as it is.
#[derive(Debug, Clone, Default)]
pub struct SettingsChange {
    /// Whether the clock captures.
    pub automatic_capture: Option<bool>,
    /// Seconds from authorisation to automatic capture.
    pub capture_delay_seconds: Option<u32>,
    /// The origins that may frame the checkout, as browsers write them; empty: the origin of each
    /// session's `return_url`.
    pub origins: Option<Vec<String>>,
    /// Whether refunds and captures without an `Idempotency-Key` are refused.
    pub require_idempotency_key: Option<bool>,
    /// Whether new sessions and new payments are refused.
    pub disabled: Option<bool>,
    /// The accent on light.
    pub accent: Change<Accent>,
    /// The accent on dark.
    pub accent_dark: Change<Accent>,
    /// The logo.
    pub logo: Change<Logo>,
}

/// What becomes of a setting that a merchant need not have.
#[derive(Debug, Clone, Default)]
pub enum Change<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is taken away.
    Remove,
    /// It is this from now on.
    Set(T),
}

impl<T> Change<T> {
    fn apply(self, setting: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Remove => *setting = None,
            Self::Set(value) => *setting = Some(value),
        }
    }
}

/// Creates a merchant with its first pair.
///
/// Errors: `UnknownPspAccount`: nobody could pay such a merchant.
pub async fn create(app: &App, new: NewMerchant) -> Result<(Merchant, NewPair), Error> {
    if app.inner().psps.account(&new.account).is_none() {
        return Err(Error::UnknownPspAccount);
    }
    let merchant = Merchant {
        id: app.new_id(),
        name: new.name,
        account: new.account,
        automatic_capture: true,
        capture_delay_seconds: new.capture_delay_seconds,
        origins: Vec::new(),
        require_idempotency_key: false,
        look: new.look,
        created_at: app.now(),
        disabled_at: None,
    };
    let (key, hash, pair) = mint(app, merchant.id);
    let entry = audit(app, AuditAction::MerchantCreated, merchant.id);
    app.inner()
        .merchants
        .create(&merchant, &key, &hash, &entry)
        .await?;
    Ok((merchant, pair))
}

/// Adds a pair to a merchant.
///
/// Errors: `NotFound`, `TooManyKeys`.
pub async fn add_key(app: &App, merchant: MerchantId) -> Result<NewPair, Error> {
    if app.inner().merchants.merchant(merchant).await?.is_none() {
        return Err(Error::NotFound);
    }
    let (key, hash, pair) = mint(app, merchant);
    let entry = AuditEntry {
        detail: key.id.to_string(),
        ..audit(app, AuditAction::KeyCreated, merchant)
    };
    if app.inner().merchants.add_key(&key, &hash, &entry).await? {
        Ok(pair)
    } else {
        Err(Error::TooManyKeys)
    }
}

/// Which key is meant.
#[derive(Debug, Clone)]
pub enum KeyName<'a> {
    /// The API key's text.
    Text(&'a str),
    /// The id of its record.
    Id(ApiKeyId),
}

/// The merchant's keys that have not ended, newest first.
///
/// Errors: `NotFound` (no such merchant).
pub async fn list_keys(app: &App, merchant: MerchantId) -> Result<Vec<ApiKey>, Error> {
    if app.inner().merchants.merchant(merchant).await?.is_none() {
        return Err(Error::NotFound);
    }
    Ok(app.inner().merchants.keys(merchant, app.now()).await?)
}

/// Revokes a key at once, be it the merchant's last one; running servers refuse it within a second.
/// Returns the key's record.
///
/// Errors: `NotFound`.
pub async fn revoke_key(app: &App, name: &KeyName<'_>) -> Result<ApiKey, Error> {
    let merchants = &app.inner().merchants;
    let found = match name {
        KeyName::Text(text) => {
            let found = merchants.key(&ApiKeyHash::of(text)).await?;
            found.map(|(key, _)| key)
        }
        KeyName::Id(id) => merchants.key_by_id(*id).await?,
    };
    let key = found.ok_or(Error::NotFound)?;
    let entry = AuditEntry {
        detail: key.id.to_string(),
        ..audit(app, AuditAction::KeyRevoked, key.merchant)
    };
    merchants.end_key(key.id, entry.at, &entry).await?;
    Ok(key)
}

/// Revokes every key of a merchant at once, and returns how many. A rotation at the same time leaves
/// none behind.
///
/// Errors: `NotFound`.
pub async fn revoke_all_keys(app: &App, merchant: MerchantId) -> Result<u64, Error> {
    let merchants = &app.inner().merchants;
    if merchants.merchant(merchant).await?.is_none() {
        return Err(Error::NotFound);
    }
    let entry = AuditEntry {
        detail: "all keys".to_owned(),
        ..audit(app, AuditAction::KeyRevoked, merchant)
    };
    Ok(merchants.end_all_keys(merchant, entry.at, &entry).await?)
}

/// Changes a merchant's settings. How they capture counts for sessions created from then on; who may
/// frame them and how they look is seen by every page that is opened a second later.
///
/// Errors: `NotFound`.
pub async fn change(app: &App, id: MerchantId, change: SettingsChange) -> Result<Merchant, Error> {
    let found = app.inner().merchants.merchant(id).await?;
    let mut merchant = found.ok_or(Error::NotFound)?;
    if let Some(automatic) = change.automatic_capture {
        merchant.automatic_capture = automatic;
    }
    if let Some(delay) = change.capture_delay_seconds {
        merchant.capture_delay_seconds = delay;
    }
    if let Some(origins) = change.origins {
        merchant.origins = origins;
    }
    if let Some(required) = change.require_idempotency_key {
        merchant.require_idempotency_key = required;
    }
    match change.disabled {
        // Disabling twice keeps the first time.
        Some(true) => merchant.disabled_at = merchant.disabled_at.or(Some(app.now())),
        Some(false) => merchant.disabled_at = None,
        None => {}
    }
    change.accent.apply(&mut merchant.look.accent);
    change.accent_dark.apply(&mut merchant.look.accent_dark);
    change.logo.apply(&mut merchant.look.logo);
    let entry = audit(app, AuditAction::SettingsChanged, id);
    app.inner().merchants.update(&merchant, &entry).await?;
    Ok(merchant)
}

/// The merchant with its settings.
///
/// Errors: `NotFound`.
pub async fn get(app: &App, id: MerchantId) -> Result<Merchant, Error> {
    let found = app.inner().merchants.merchant(id).await?;
    found.ok_or(Error::NotFound)
}

/// At most `limit` merchants in the order of their ids, those after `after`.
pub async fn list(
    app: &App,
    after: Option<MerchantId>,
    limit: u32,
) -> Result<Vec<Merchant>, Error> {
    Ok(app.inner().merchants.list(after, limit).await?)
}

/// A new pair of a merchant's: as it is kept, what it is looked up by, and its texts.
pub(crate) fn mint(app: &App, merchant: MerchantId) -> (ApiKey, ApiKeyHash, NewPair) {
    let entropy = &app.inner().entropy;
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let api_key = format!("ock_{}", text(&entropy.bytes::<18>()));
    let api_secret = Zeroizing::new(format!("ocs_{}", text(&entropy.bytes::<32>())));
    let key = ApiKey {
        id: app.new_id_in(merchant.slot()),
        merchant,
        signing_key: SigningKey::of_secret(&api_secret),
        hint: ApiKey::hint_of(&api_key),
        created_at: app.now(),
        last_used_at: None,
        ends_at: None,
    };
    (
        key,
        ApiKeyHash::of(&api_key),
        NewPair {
            api_key,
            api_secret,
        },
    )
}

fn audit(app: &App, action: AuditAction, merchant: MerchantId) -> AuditEntry {
    AuditEntry {
        id: app.new_id_in(merchant.slot()),
        at: app.now(),
        action,
        merchant: Some(merchant),
        session: None,
        operation: None,
        detail: String::new(),
    }
}
