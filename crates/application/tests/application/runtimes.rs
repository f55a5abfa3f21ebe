//! Use cases whose caller's runtime ends before they do, as that of an idle worker of the HTTP
//! server does at shutdown.

use oncharge_domain::operation::OperationStatus;
use tokio::{runtime::Builder, task};

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_survives_the_end_of_its_callers_runtime() {
    let world = World::new();
    let order = world.captured().await;
    world.psp.pause();
    task::block_in_place(|| {
        std::thread::scope(|threads| {
            let caller = threads.spawn(|| {
                let runtime = Builder::new_current_thread().enable_time().build().unwrap();
                runtime.block_on(async {
                    let mut refund = Box::pin(world.refund(&order, "", 500));
                    while world.psp.waiting() == 0 {
                        tokio::select! {
                            answered = &mut refund => panic!("answered: {answered:?}"),
                            () = task::yield_now() => {}
                        }
                    }
                });
            });
            caller.join().unwrap();
        });
    });
    world.psp.resume();
    world.app.drain().await;
    let refund = world.operation(&order, "refund");
    assert_eq!(refund.status, OperationStatus::Succeeded);
}
