//! Rotation of master keys and peppers by rolling restarts of two nodes with different key lists,
//! and key lists that prevent a start.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use serde_json::json;

use crate::support::{
    Cluster, Database, Shop, eventually,
    node::Node,
    shop::{GOOD_CARD, order},
};

const K1: &str = "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const K2: &str = "k2:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";
const OTHER_K1: &str = "k1:BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=";
const P1: &str = "p1:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
const P2: &str = "p2:BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ=";
const OTHER_P1: &str = "p1:BgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgY=";

const BANNED: &str = "banned@example.com";

/// Lists of keys; the first key is the current one.
#[derive(Clone, Copy)]
struct KeyLists<'a> {
    master: &'a [&'a str],
    pepper: &'a [&'a str],
}

const OLD: KeyLists<'_> = KeyLists {
    master: &[K1],
    pepper: &[P1],
};
const ADDED_LAST: KeyLists<'_> = KeyLists {
    master: &[K1, K2],
    pepper: &[P1, P2],
};
const MOVED_FIRST: KeyLists<'_> = KeyLists {
    master: &[K2, K1],
    pepper: &[P2, P1],
};
const NEW: KeyLists<'_> = KeyLists {
    master: &[K2],
    pepper: &[P2],
};

fn node(cluster: &Cluster, lists: KeyLists<'_>) -> Node {
    let (master, pepper) = (lists.master.join(","), lists.pepper.join(","));
    cluster.node(&[
        ("KEYS__MASTER", &master),
        ("KEYS__PEPPER", &pepper),
        ("CHECKOUT__BAN_ANSWERS_PER_HOUR", "0"),
    ])
}

async fn started(cluster: &Cluster, lists: KeyLists<'_>) -> Node {
    let node = node(cluster, lists);
    node.start();
    node.ready().await;
    node
}

/// The error output of a refused command.
fn command_error(node: &Node, arguments: &[&str]) -> String {
    let output = node.command(arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
    errors
}

/// The error output of a refused start with these lists.
fn start_error(cluster: &Cluster, lists: KeyLists<'_>) -> String {
    command_error(&node(cluster, lists), &["serve"])
}

fn ban(node: &Node, address: &str) -> String {
    let added = node.json(&["ban", "add", "--email", address]);
    added["ban_id"].as_str().unwrap().to_owned()
}

fn pepper_of(node: &Node, ban: &str) -> String {
    let output = node.command(&["ban", "list"]);
    let list = String::from_utf8(output.stdout).unwrap();
    let line = list.lines().find(|line| line.contains(ban)).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    line["pepper"].as_str().unwrap().to_owned()
}

/// Shoppers who pay while nodes are replaced.
#[derive(Clone)]
struct ShopperLoad {
    shop: Shop,
    bases: Arc<Mutex<Vec<String>>>,
    is_over: Arc<AtomicBool>,
    /// Selects the nodes in turn, as a load balancer would.
    next_node: Arc<AtomicUsize>,
    served: Arc<AtomicUsize>,
    problems: Arc<Mutex<Vec<String>>>,
}

impl ShopperLoad {
    fn new(shop: &Shop, nodes: &[&Node]) -> Self {
        Self {
            shop: shop.clone(),
            bases: Arc::new(Mutex::new(nodes.iter().map(|node| node.base()).collect())),
            is_over: Arc::default(),
            next_node: Arc::default(),
            served: Arc::default(),
            problems: Arc::default(),
        }
    }

    /// The merchant, with requests to the next node.
    fn next(&self) -> Shop {
        let bases = self.bases.lock().unwrap();
        let turn = self.next_node.fetch_add(1, Ordering::Relaxed);
        let mut shop = self.shop.clone();
        shop.base.clone_from(&bases[turn % bases.len()]);
        shop
    }

    fn report(&self, what: String) {
        self.problems.lock().unwrap().push(what);
    }

    /// A shopper pays at other nodes than the one that created the session, until the load ends.
    async fn pay_until_over(self) {
        while !self.is_over.load(Ordering::Relaxed) {
            let body = order(json!({ "customer_email": "good@example.com" })).to_string();
            let shop = self.next();
            let created = shop.try_call("POST", "/v1/checkout/sessions", &body, None);
            // A stopping node closes its connections.
            let Ok(created) = created.await else { continue };
            if created.status != 201 {
                self.check_status("create", created.status, &created.body);
                continue;
            }
            let created = created.json();
            let id = created["session_id"].as_str().unwrap();
            let pay_token = created["pay_token"].as_str().unwrap();
            let token = self.shop.token(GOOD_CARD).await;
            let pay = json!({ "payment_method": token });
            let paid = self.next().try_shopper(id, pay_token, "pay", &pay).await;
            let Ok(paid) = paid else { continue };
            if paid.status != 200 {
                self.check_status("pay", paid.status, &paid.body);
                continue;
            }
            let target = format!("/v1/checkout/sessions/{id}");
            let Ok(read) = self.next().try_call("GET", &target, "", None).await else {
                continue;
            };
            if read.status != 200 {
                self.check_status("read", read.status, &read.body);
                continue;
            }
            // A slow PSP leaves it pending.
            let status = read.json()["status"].clone();
            if status == "authorized" || status == "captured" {
                self.served.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// A banned shopper tries to pay until the load ends.
    async fn pay_while_banned(self) {
        let body = order(json!({ "customer_email": BANNED })).to_string();
        while !self.is_over.load(Ordering::Relaxed) {
            let shop = self.next();
            let tried = shop.try_call("POST", "/v1/checkout/sessions", &body, None);
            let Ok(tried) = tried.await else { continue };
            if tried.status != 403 {
                self.check_status("banned", tried.status, &tried.body);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    fn check_status(&self, what: &str, status: u16, body: &str) {
        let is_busy = status == 503 && body.contains("\"busy\"");
        if !is_busy {
            self.report(format!("{what}: {status} {body}"));
        }
    }

    /// Waits until this many more shoppers have paid.
    async fn wait_for_served(&self, more: usize) {
        let wanted = self.served.load(Ordering::Relaxed) + more;
        eventually(60, "the load", || async {
            let served = self.served.load(Ordering::Relaxed);
            let problems = self.problems.lock().unwrap().clone();
            assert!(problems.is_empty(), "{problems:?}");
            (served >= wanted)
                .then_some(())
                .ok_or_else(|| served.to_string())
        })
        .await;
    }

    /// Replaces a node: the new one is added before the old one stops.
    async fn replace(&self, cluster: &Cluster, old: &mut Node, lists: KeyLists<'_>) {
        let new = started(cluster, lists).await;
        {
            let mut bases = self.bases.lock().unwrap();
            let gone = old.base();
            bases.retain(|base| *base != gone);
            bases.push(new.base());
        }
        self.wait_for_served(3).await;
        assert!(old.terminate().0.success());
        *old = new;
        self.wait_for_served(3).await;
    }
}

/// Between the halves of the first rollout no node seals or hashes with the new keys, because one
/// node lacks them.
fn assert_new_keys_are_not_used(cluster: &Cluster, first: &Node) {
    let moved = node(cluster, MOVED_FIRST);
    let lacking = command_error(&moved, &["keys", "reseal"]);
    assert!(
        lacking.contains("keys.master lacks the key \"k2\" on node"),
        "{lacking}"
    );
    let checked = moved.command(&["config", "check"]);
    let warning = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{warning}");
    assert!(
        warning.contains("keys.pepper lacks the key \"p2\" on node"),
        "{warning}"
    );
    assert_eq!(pepper_of(first, &ban(&moved, "new@example.com")), "p1");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_by_rolling_restarts_under_load() {
    let cluster = Cluster::start(Database::Postgres.fresh().await).await;
    let (mut first, mut second) = (started(&cluster, OLD).await, started(&cluster, OLD).await);
    let shop = cluster.merchant(&first);
    let banned = ban(&first, BANNED);
    let second_ban = ban(&first, "away@example.com");
    let load = ShopperLoad::new(&shop, &[&first, &second]);
    let shoppers = [
        tokio::spawn(load.clone().pay_until_over()),
        tokio::spawn(load.clone().pay_until_over()),
        tokio::spawn(load.clone().pay_while_banned()),
    ];
    load.wait_for_served(3).await;

    // The first rollout.
    load.replace(&cluster, &mut first, ADDED_LAST).await;
    assert_new_keys_are_not_used(&cluster, &first);
    load.replace(&cluster, &mut second, ADDED_LAST).await;

    // Second rollout: new bans use the new pepper.
    load.replace(&cluster, &mut first, MOVED_FIRST).await;
    let under_new = ban(&first, "newer@example.com");
    assert_eq!(pepper_of(&second, &under_new), "p2");
    load.replace(&cluster, &mut second, MOVED_FIRST).await;

    let start_failure = start_error(
        &cluster,
        KeyLists {
            pepper: MOVED_FIRST.pepper,
            ..NEW
        },
    );
    assert!(
        start_failure.contains("keys.master lacks the key \"k1\""),
        "{start_failure}"
    );
    let resealed = first.json(&["keys", "reseal"]);
    assert!(resealed["resealed"].as_u64().unwrap() > 0, "{resealed}");
    let again = first.command(&["keys", "reseal"]);
    assert_eq!(String::from_utf8_lossy(&again.stdout), "{\"resealed\":0}\n");
    let notes = String::from_utf8_lossy(&again.stderr);
    assert!(!notes.contains("still in use"), "{notes}");
    eventually(10, "the applied ban is rehashed", || async {
        let pepper = pepper_of(&first, &banned);
        (pepper == "p2").then_some(()).ok_or(pepper)
    })
    .await;

    // The old pepper is needed as long as a ban uses it.
    let start_failure = start_error(&cluster, NEW);
    assert!(
        start_failure.contains("keys.pepper lacks the key \"p1\""),
        "{start_failure}"
    );
    first.json(&["ban", "revoke", &second_ban]);
    let waiting = node(&cluster, NEW);
    let output = waiting.command(&["ban", "list"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("\"p1\""),
        "a ban of the first rollout: {errors}"
    );
    let list = String::from_utf8(first.command(&["ban", "list"]).stdout).unwrap();
    for line in list.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        if line["pepper"] == "p1" && line["live"] == true {
            first.json(&["ban", "revoke", line["ban_id"].as_str().unwrap()]);
        }
    }
    load.replace(&cluster, &mut first, NEW).await;
    load.replace(&cluster, &mut second, NEW).await;

    load.is_over.store(true, Ordering::Relaxed);
    for shopper in shoppers {
        shopper.await.unwrap();
    }
    let problems = load.problems.lock().unwrap().clone();
    assert!(problems.is_empty(), "{problems:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mismatched_keys_prevent_the_start() {
    let cluster = Cluster::start(Database::Postgres.fresh().await).await;
    let first = started(&cluster, ADDED_LAST).await;
    cluster.merchant(&first).create(json!({})).await;
    let live = ban(&first, BANNED);
    let tried =
        |master: &[&str], pepper: &[&str]| start_error(&cluster, KeyLists { master, pepper });
    // No data uses the key yet, but a live node has it.
    let other_k2 = OTHER_K1.replace("k1:", "k2:");
    let errors = tried(&[K1, &other_k2], &[P1]);
    assert!(
        errors.contains("keys.master has another key under the id \"k2\" than node"),
        "{errors}"
    );
    assert!(first.terminate().0.success());
    let zero = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    for (master, pepper, expected) in [
        (K2, P1, "keys.master lacks the key \"k1\""),
        (
            OTHER_K1,
            P1,
            "keys.master has another key under the id \"k1\"",
        ),
        (K1, P2, "keys.pepper lacks the key \"p1\""),
        (
            K1,
            OTHER_P1,
            "keys.pepper has another key under the id \"p1\"",
        ),
        (zero, P1, "all zeros"),
        ("", P1, "keys.master"),
        (K1, "", "keys.pepper"),
    ] {
        let errors = tried(&[master], &[pepper]);
        assert!(errors.contains(expected), "{master} {pepper}: {errors}");
    }
    // Commands are refused with these keys as well, and a refused start registers nothing.
    for command in [&["ban", "list"][..], &["config", "check"]] {
        let errors = command_error(&node(&cluster, NEW), command);
        assert!(
            errors.contains("keys.master lacks the key \"k1\""),
            "{errors}"
        );
    }
    first.json(&["ban", "revoke", &live]);
    let without = started(
        &cluster,
        KeyLists {
            master: OLD.master,
            pepper: NEW.pepper,
        },
    )
    .await;
    assert!(without.terminate().0.success());
}
