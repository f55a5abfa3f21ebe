//! How merchants' checkouts look.

use anyhow::{Context, ensure};
use oncharge_domain::{
    audit::AuditAction,
    merchant::{
        Merchant,
        accent::{Accent, Scheme},
        logo::{Logo, MOST_BYTES},
        look::Look,
    },
};

use crate::{Store, world::World};

/// What a merchant gives of its look loads as it was written, wherever the merchant is read, and no
/// other merchant is touched; one that gave nothing has nothing.
pub async fn looks_load_equal(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    for look in looks()? {
        let merchant = Merchant {
            look,
            ..world.build.merchant()
        };
        created_loads_equal(&world, &merchant).await?;
    }
    let first = world.store.merchants.merchant(world.merchant.id).await?;
    same!(first, Some(world.merchant.clone()), "another merchant");
    Ok(())
}

/// Each part of a look is set, replaced and taken away by itself.
pub async fn a_look_can_be_taken_away(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let other = world.other_merchant().await?;
    let mut merchant = world.merchant.clone();
    let [_, full, second, _] = looks()?;
    for (look, what) in [
        (full.clone(), "given"),
        (second.clone(), "replaced"),
        (
            Look {
                accent: None,
                ..second.clone()
            },
            "without accent",
        ),
        (
            Look {
                accent_dark: None,
                ..second.clone()
            },
            "without dark accent",
        ),
        (
            Look {
                logo: None,
                ..second
            },
            "without logo",
        ),
        (Look::default(), "all taken away"),
        (full, "given again"),
    ] {
        merchant.look = look;
        merchant.version += 1;
        let entry = world.build.audit(AuditAction::SettingsChanged);
        let merchants = &world.store.merchants;
        ensure!(merchants.update(&merchant, &entry).await?, "it is there");
        let found = merchants.merchant(merchant.id).await?;
        same!(found, Some(merchant.clone()), "{what}");
        let untouched = merchants.merchant(other.id).await?;
        same!(untouched, Some(other.clone()), "another merchant");
    }
    Ok(())
}

async fn created_loads_equal(world: &World, merchant: &Merchant) -> anyhow::Result<()> {
    let merchants = &world.store.merchants;
    let (key, hash) = world.build.api_key(merchant);
    let entry = world.build.audit(AuditAction::MerchantCreated);
    merchants.create(merchant, &key, &hash, &entry).await?;
    let found = merchants.merchant(merchant.id).await?;
    same!(found, Some(merchant.clone()), "by its id");
    let (_, owner) = merchants.key(&hash).await?.context("its key")?;
    same!(owner, *merchant, "by its key");
    Ok(())
}

/// Nothing, everything, everything otherwise, and a logo alone.
fn looks() -> anyhow::Result<[Look; 4]> {
    let accent = |text, scheme| Accent::parse(text, scheme);
    let drawing = "<!-- ' \" \\ ünï --><svg xmlns='http://www.w3.org/2000/svg'/>";
    let drawing = Some(Logo::new(drawing.into())?);
    Ok([
        Look::default(),
        Look {
            accent: Some(accent("#C2185B", Scheme::Light)?),
            accent_dark: Some(accent("#FF80AB", Scheme::Dark)?),
            logo: Some(largest()?),
        },
        Look {
            accent: Some(accent("#000", Scheme::Light)?),
            accent_dark: Some(accent("#FFF", Scheme::Dark)?),
            logo: drawing.clone(),
        },
        Look {
            logo: drawing,
            ..Look::default()
        },
    ])
}

/// A PNG's head with bytes of every value after it, as large as may be.
fn largest() -> anyhow::Result<Logo> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01".to_vec();
    let rest = (0..=u8::MAX).cycle().take(MOST_BYTES - bytes.len());
    bytes.extend(rest);
    Ok(Logo::new(bytes)?)
}
