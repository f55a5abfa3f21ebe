//! Merchants' branding.

use anyhow::{Context, ensure};
use oncharge_domain::{
    audit::AuditAction,
    branding::{
        Branding,
        accent::{Accent, ColorScheme},
        logo::{Logo, MAX_BYTES},
    },
    merchant::Merchant,
};

use crate::{TestedStore, fixture::Fixture};

/// Branding loads as it was written, wherever the merchant is read, without a change of another
/// merchant; missing values stay missing.
pub async fn branding_loads_equal(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    for branding in brandings()? {
        let merchant = Merchant {
            branding,
            ..fixture.build.merchant()
        };
        created_loads_equal(&fixture, &merchant).await?;
    }
    let first = fixture
        .store
        .merchants
        .merchant(fixture.merchant.id)
        .await?;
    ensure_eq!(first, Some(fixture.merchant.clone()), "another merchant");
    Ok(())
}

/// Each part of the branding can be set, replaced and removed separately.
pub async fn branding_can_be_removed(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let other = fixture.other_merchant().await?;
    let mut merchant = fixture.merchant.clone();
    let [_, full, second, _] = brandings()?;
    for (branding, what) in [
        (full.clone(), "given"),
        (second.clone(), "replaced"),
        (
            Branding {
                accent: None,
                ..second.clone()
            },
            "without accent",
        ),
        (
            Branding {
                accent_dark: None,
                ..second.clone()
            },
            "without dark accent",
        ),
        (
            Branding {
                logo: None,
                ..second
            },
            "without logo",
        ),
        (Branding::default(), "all removed"),
        (full, "given again"),
    ] {
        merchant.branding = branding;
        merchant.version += 1;
        let entry = fixture.build.audit(AuditAction::SettingsChanged);
        let merchants = &fixture.store.merchants;
        ensure!(
            merchants.update(&merchant, &entry).await?,
            "the merchant was not updated"
        );
        let found = merchants.merchant(merchant.id).await?;
        ensure_eq!(found, Some(merchant.clone()), "{what}");
        let untouched = merchants.merchant(other.id).await?;
        ensure_eq!(untouched, Some(other.clone()), "another merchant");
    }
    Ok(())
}

async fn created_loads_equal(fixture: &Fixture, merchant: &Merchant) -> anyhow::Result<()> {
    let merchants = &fixture.store.merchants;
    let (key, hash) = fixture.build.api_key(merchant);
    let entry = fixture.build.audit(AuditAction::MerchantCreated);
    merchants.create(merchant, &key, &hash, &entry).await?;
    let found = merchants.merchant(merchant.id).await?;
    ensure_eq!(
        found,
        Some(merchant.clone()),
        "the merchant found by its id"
    );
    let (_, owner) = merchants.key(&hash).await?.context("its key")?;
    ensure_eq!(owner, *merchant, "the merchant found by its key");
    Ok(())
}

/// None, complete, complete with other values, and a logo alone.
fn brandings() -> anyhow::Result<[Branding; 4]> {
    let accent = |text, scheme| Accent::parse(text, scheme);
    let drawing = "<!-- ' \" \\ ünï --><svg xmlns='http://www.w3.org/2000/svg'/>";
    let drawing = Some(Logo::new(drawing.into())?);
    Ok([
        Branding::default(),
        Branding {
            accent: Some(accent("#C2185B", ColorScheme::Light)?),
            accent_dark: Some(accent("#FF80AB", ColorScheme::Dark)?),
            logo: Some(largest()?),
        },
        Branding {
            accent: Some(accent("#000", ColorScheme::Light)?),
            accent_dark: Some(accent("#FFF", ColorScheme::Dark)?),
            logo: drawing.clone(),
        },
        Branding {
            logo: drawing,
            ..Branding::default()
        },
    ])
}

/// A PNG header followed by bytes of every value, of maximum size.
fn largest() -> anyhow::Result<Logo> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01".to_vec();
    let rest = (0..=u8::MAX).cycle().take(MAX_BYTES - bytes.len());
    bytes.extend(rest);
    Ok(Logo::new(bytes)?)
}
