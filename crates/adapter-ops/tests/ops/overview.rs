//! The overview of the operators' view: queues and stuck work.

use oncharge_ports::WorkQueue as _;

use crate::support::{TestApp, ops, page, start, start_ops_server};

#[actix_web::test]
async fn queues_are_shown_with_their_history() {
    let app = TestApp::start().await;
    let ops = ops(Some(&app));
    let address = start(ops.clone(), &[]);
    let fresh = page(address, "/ops/").await;
    assert!(fresh.contains("has not measured yet"), "{fresh}");
    let mut depths = app.store.depths(app.app.now()).await.unwrap();
    for queue in &mut depths {
        queue.depth = 7;
    }
    ops.record_queues(app.app.now(), Some(depths));
    app.clock.advance(60);
    ops.record_queues(app.app.now(), None);
    app.clock.advance(60);
    let later = page(address, "/ops/").await;
    for queue in ["operations", "deadlines", "inbox", "deliveries"] {
        for figure in ["Depth of", "Age of the oldest item in"] {
            let image = format!("<svg role=\"img\" aria-label=\"{figure} {queue} since ");
            assert!(later.contains(&image), "{image}: {later}");
        }
    }
    assert!(later.contains(": now 0, highest 7\""), "{later}");
    assert!(later.contains("a gap is a time in which"), "{later}");
    let dots = "<path d=\"M10680 0h0M10800 100h0\"/>";
    assert!(later.contains(dots), "what was, a gap, what is: {later}");
}

#[actix_web::test]
async fn stuck_work_is_listed_with_a_link_to_its_session() {
    let app = TestApp::start().await;
    let checkout = app.created().await;
    let address = start_ops_server(Some(&app));
    let initial = page(address, "/ops/").await;
    assert!(initial.contains("Nothing is stuck."), "{initial}");
    app.clock.advance(1800 + 301);
    let page = page(address, "/ops/").await;
    let link = format!("<a href=\"/ops/sessions/{}\">", checkout.id);
    assert!(page.contains(&link), "{page}");
    assert!(
        page.contains("No worker runs"),
        "the page does not say what to do: {page}"
    );
    assert!(
        page.contains(">deadline<") && page.contains("5 min ago"),
        "{page}"
    );
    for (status, count) in [("created", 0), ("expired", 1)] {
        let row = page
            .split("<tr>")
            .find(|row| row.contains(&format!("status={status}&#38;from=")));
        let row = row.unwrap();
        assert!(
            row.contains(&format!("<td class=\"number\">{count}</td>")),
            "{row}"
        );
    }
}
