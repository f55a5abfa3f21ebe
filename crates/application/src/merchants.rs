//! Operator commands on merchants and their keys.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use oncharge_domain::{
    audit::{AuditAction, AuditEntry},
    branding::{Branding, accent::Accent, logo::Logo},
    id::{ApiKeyId, MerchantId},
    merchant::{ApiKey, ApiKeyHash, Merchant},
    psp::PspAccount,
    signing::SigningKey,
    text::MerchantName,
    time::Timestamp,
};
use zeroize::Zeroizing;

use crate::{App, Error, commit::Backoff};

/// A new key pair, shown once.
pub struct NewPair {
    /// The API key, `ock_…`.
    pub api_key: String,
    /// The API secret, `ocs_…`; only its SHA-256 is stored.
    pub api_secret: Zeroizing<String>,
}

/// The initial settings of a merchant.
#[derive(Debug, Clone)]
pub struct NewMerchant {
    /// Its name, as shoppers see it.
    pub name: MerchantName,
    /// The PSP account that it uses.
    pub account: PspAccount,
    /// Seconds from authorization to automatic capture.
    pub capture_delay_seconds: u32,
    /// The branding of its checkout.
    pub branding: Branding,
}

/// Settings to change; `None` leaves one as it is.
#[derive(Debug, Clone, Default)]
pub struct SettingsChange {
    /// Whether sessions are captured automatically.
    pub automatic_capture: Option<bool>,
    /// Seconds from authorization to automatic capture.
    pub capture_delay_seconds: Option<u32>,
    /// The origins that may frame the checkout, as browsers write them; empty: the origin of each
    /// session's `return_url`.
    pub origins: Option<Vec<String>>,
    /// Whether refunds and captures without an `Idempotency-Key` are refused.
    pub require_idempotency_key: Option<bool>,
    /// Whether new sessions and new payments are refused.
    pub disabled: Option<bool>,
    /// The accent for the light scheme.
    pub accent: Change<Accent>,
    /// The accent for the dark scheme.
    pub accent_dark: Change<Accent>,
    /// The logo.
    pub logo: Change<Logo>,
}

/// The change of an optional setting.
#[derive(Debug, Clone, Default)]
pub enum Change<T> {
    /// Leaves it unchanged.
    #[default]
    Keep,
    /// Removes it.
    Remove,
    /// Sets it to this value.
    Set(T),
}

impl<T: Clone> Change<T> {
    /// Applies the change; returns whether there is one.
    fn write(&self, setting: &mut Option<T>) -> bool {
        match self {
            Self::Keep => return false,
            Self::Remove => *setting = None,
            Self::Set(value) => *setting = Some(value.clone()),
        }
        true
    }
}

impl SettingsChange {
    /// Applies the change; returns the names of the settings that it contains.
    fn apply(&self, merchant: &mut Merchant, now: Timestamp) -> Vec<&'static str> {
        // Disabling again keeps the original time.
        let since = merchant.disabled_at.unwrap_or(now);
        let disabled_at = self.disabled.map(|disabled| disabled.then_some(since));
        let delay = self.capture_delay_seconds;
        let required = self.require_idempotency_key;
        let written = [
            (
                "automatic_capture",
                write(&mut merchant.automatic_capture, self.automatic_capture),
            ),
            (
                "capture_delay_seconds",
                write(&mut merchant.capture_delay_seconds, delay),
            ),
            (
                "origins",
                write(&mut merchant.origins, self.origins.clone()),
            ),
            (
                "require_idempotency_key",
                write(&mut merchant.require_idempotency_key, required),
            ),
            ("disabled_at", write(&mut merchant.disabled_at, disabled_at)),
            ("accent", self.accent.write(&mut merchant.branding.accent)),
            (
                "accent_dark",
                self.accent_dark.write(&mut merchant.branding.accent_dark),
            ),
            ("logo", self.logo.write(&mut merchant.branding.logo)),
        ];
        let names = written.into_iter().filter(|(_, is_written)| *is_written);
        names.map(|(name, _)| name).collect()
    }
}

/// Writes a setting if there is a new value; returns whether there is.
fn write<T>(setting: &mut T, value: Option<T>) -> bool {
    let is_named = value.is_some();
    if let Some(value) = value {
        *setting = value;
    }
    is_named
}

/// Creates a merchant with its first pair.
///
/// Errors: `UnknownPspAccount`, since such a merchant could not be paid.
pub async fn create(app: &App, new: NewMerchant) -> Result<(Merchant, NewPair), Error> {
    if app.inner().psps.account(&new.account).is_none() {
        return Err(Error::UnknownPspAccount);
    }
    let merchant = Merchant {
        id: app.new_id(),
        version: 1,
        name: new.name,
        account: new.account,
        automatic_capture: true,
        capture_delay_seconds: new.capture_delay_seconds,
        origins: Vec::new(),
        require_idempotency_key: false,
        branding: new.branding,
        created_at: app.now(),
        disabled_at: None,
    };
    let (key, hash, pair) = mint(app, merchant.id);
    let entry = audit(app, AuditAction::MerchantCreated, merchant.id);
    app.inner()
        .store
        .merchants
        .create(&merchant, &key, &hash, &entry)
        .await?;
    Ok((merchant, pair))
}

/// The PSP accounts that merchants use but the configuration lacks: their payments fail.
pub async fn unconfigured_psp_accounts(app: &App) -> Result<Vec<PspAccount>, Error> {
    let mut used = app.inner().store.merchants.psp_accounts().await?;
    used.retain(|account| app.inner().psps.account(account).is_none());
    Ok(used)
}

/// Adds a key pair to a merchant.
///
/// Errors: `NotFound`, `TooManyKeys`.
pub async fn add_key(app: &App, merchant: MerchantId) -> Result<NewPair, Error> {
    if app
        .inner()
        .store
        .merchants
        .merchant(merchant)
        .await?
        .is_none()
    {
        return Err(Error::NotFound);
    }
    let (key, hash, pair) = mint(app, merchant);
    let entry = AuditEntry {
        detail: key.id.to_string(),
        ..audit(app, AuditAction::KeyCreated, merchant)
    };
    if app
        .inner()
        .store
        .merchants
        .add_key(&key, &hash, &entry)
        .await?
    {
        Ok(pair)
    } else {
        Err(Error::TooManyKeys)
    }
}

/// Identifies a key.
#[derive(Debug, Clone)]
pub enum KeySelector<'a> {
    /// The API key's text.
    Text(&'a str),
    /// The id of the key's record.
    Id(ApiKeyId),
}

/// The merchant's keys that have not ended, newest first.
///
/// Errors: `NotFound` (no such merchant).
pub async fn list_keys(app: &App, merchant: MerchantId) -> Result<Vec<ApiKey>, Error> {
    if app
        .inner()
        .store
        .merchants
        .merchant(merchant)
        .await?
        .is_none()
    {
        return Err(Error::NotFound);
    }
    Ok(app
        .inner()
        .store
        .merchants
        .keys(merchant, app.now())
        .await?)
}

/// Revokes a key at once, even the merchant's last one; running servers refuse it within a second.
/// Returns the key's record.
///
/// Errors: `NotFound`.
pub async fn revoke_key(app: &App, name: &KeySelector<'_>) -> Result<ApiKey, Error> {
    let merchants = &app.inner().store.merchants;
    let found = match name {
        KeySelector::Text(text) => {
            let found = merchants.key(&ApiKeyHash::of(text)).await?;
            found.map(|(key, _)| key)
        }
        KeySelector::Id(id) => merchants.key_with_id(*id).await?,
    };
    let key = found.ok_or(Error::NotFound)?;
    let entry = AuditEntry {
        detail: key.id.to_string(),
        ..audit(app, AuditAction::KeyRevoked, key.merchant)
    };
    merchants.end_key(key.id, entry.at, &entry).await?;
    Ok(key)
}

/// Revokes every key of a merchant at once, including one from a concurrent rotation; returns how
/// many.
///
/// Errors: `NotFound`.
pub async fn revoke_all_keys(app: &App, merchant: MerchantId) -> Result<u64, Error> {
    let merchants = &app.inner().store.merchants;
    if merchants.merchant(merchant).await?.is_none() {
        return Err(Error::NotFound);
    }
    let entry = AuditEntry {
        detail: "all keys".to_owned(),
        ..audit(app, AuditAction::KeyRevoked, merchant)
    };
    Ok(merchants.end_all_keys(merchant, entry.at, &entry).await?)
}

/// Changes a merchant's settings. Capture settings apply to sessions created afterwards; framing
/// origins and branding to every page opened a second later or more. The audit entry names the
/// changed settings.
///
/// Errors: `NotFound`, `Busy` (concurrent changes of the merchant's settings).
pub async fn change(app: &App, id: MerchantId, change: SettingsChange) -> Result<Merchant, Error> {
    let mut backoff = Backoff::new();
    loop {
        let mut merchant = get(app, id).await?;
        merchant.version = merchant.version.saturating_add(1);
        let names = change.apply(&mut merchant, app.now());
        let entry = AuditEntry {
            detail: names.join(", "),
            ..audit(app, AuditAction::SettingsChanged, id)
        };
        if app
            .inner()
            .store
            .merchants
            .update(&merchant, &entry)
            .await?
        {
            return Ok(merchant);
        }
        backoff.wait(app).await?;
    }
}

/// The merchant with its settings.
///
/// Errors: `NotFound`.
pub async fn get(app: &App, id: MerchantId) -> Result<Merchant, Error> {
    let found = app.inner().store.merchants.merchant(id).await?;
    found.ok_or(Error::NotFound)
}

/// At most `limit` merchants after `after`, ordered by id.
pub async fn list(
    app: &App,
    after: Option<MerchantId>,
    limit: u32,
) -> Result<Vec<Merchant>, Error> {
    Ok(app.inner().store.merchants.list(after, limit).await?)
}

/// A new key pair of a merchant: its record, its lookup hash and its texts.
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
